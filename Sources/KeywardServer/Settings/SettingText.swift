/// The rules for the text of a setting. They apply to flags, environment variables and files.
enum SettingText {
    /// Returns the value without surrounding white space; nil if the rest is empty.
    /// - Parameter name: the variable, flag or file, for the error. The error never shows the value, which may be a
    ///   secret.
    /// - Throws: a one-line error for a value in quotes, with a line break, or with an invisible character.
    static func clean(_ text: String, _ name: String) throws(SettingsError) -> String? {
        let rest = text.drop(while: \.isWhitespace)
        let value = rest.dropLast(rest.reversed().prefix(while: \.isWhitespace).count)
        guard let first = value.first else { return nil }
        if value.count > 1, first == "\"" || first == "'", value.last == first {
            throw SettingsError(message: "\(name) is in quotes: remove them")
        }
        if value.contains(where: \.isNewline) {
            throw SettingsError(message: "\(name) contains a line break: it takes a single line")
        }
        if value.unicodeScalars.contains(where: { isInvisible($0) }) {
            throw SettingsError(message: "\(name) contains a control character or a byte order mark: remove it")
        }
        return String(value)
    }

    /// Returns true for a character that terminals do not show, such as U+FEFF, which some editors write at the start
    /// of a file.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control: scalar != "\t"
        case .format: true
        default: false
        }
    }
}
