extension String {
    /// The maximum number of Unicode scalars of a caller's name in an error.
    private static let shownLimit = 64

    /// The beginning of a caller's name, for an error. It escapes each scalar that could change how a terminal or a
    /// page shows the surrounding text.
    var shown: String {
        var result = ""
        for scalar in unicodeScalars.prefix(Self.shownLimit) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return unicodeScalars.count > Self.shownLimit ? result + "…" : result
    }
}
