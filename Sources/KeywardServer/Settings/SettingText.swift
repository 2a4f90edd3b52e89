/// The one rule for values of settings, wherever they come from: flags, variables of the environment, and files.
enum SettingText {
    /// Returns the value without the white space at its ends; nil where nothing is left.
    /// - Parameter name: the variable, flag or file, for the error. The value is never shown: it may be a secret.
    /// - Throws: an error of one line for a value in quotes, and for one with a line break, or a character that no one sees, in it.
    static func clean(_ text: String, _ name: String) throws(SettingsError) -> String? {
        let rest = text.drop(while: \.isWhitespace)
        let value = rest.dropLast(rest.reversed().prefix(while: \.isWhitespace).count)
        guard let first = value.first else { return nil }
        if value.count > 1, first == "\"" || first == "'", value.last == first {
            throw SettingsError(message: "\(name) is in quotes: leave them out")
        }
        if value.contains(where: \.isNewline) {
            throw SettingsError(message: "\(name) has a line break in it: it takes a single line")
        }
        if value.unicodeScalars.contains(where: { isInvisible($0) }) {
            throw SettingsError(message: "\(name) has a control character or a byte order mark in it")
        }
        return String(value)
    }

    /// Categories of characters that a terminal does not show, such as U+FEFF, which some editors begin a file with.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control: scalar != "\t"
        case .format: true
        default: false
        }
    }
}
