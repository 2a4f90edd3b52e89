extension String {
    /// Unicode scalars of a caller's name that are repeated to the caller.
    private static let shownLimit = 64

    /// A name of the caller's, for an error: the beginning of it, with everything escaped that could change how a terminal or a
    /// page shows the text around it.
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
