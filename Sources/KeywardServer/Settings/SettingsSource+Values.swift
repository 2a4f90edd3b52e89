import ControlAPI

/// Readers of the common types of settings. Each throws an error with the setting's name for an invalid value.
extension SettingsSource {
    func duration(_ setting: Setting, default standard: Duration) throws(SettingsError) -> Duration {
        guard let text = text(setting) else { return standard }
        guard let duration = Duration(setting: text) else { throw SettingsError(setting, "'\(text)' is invalid") }
        return duration
    }

    /// Reads a duration that is longer than zero.
    func timeout(_ setting: Setting, _ value: inout Duration) throws(SettingsError) {
        value = try duration(setting, default: value)
        guard value > .zero else { throw SettingsError(setting, "0 is out of range") }
    }

    func number(_ setting: Setting, _ value: inout Int, in range: ClosedRange<Int>) throws(SettingsError) {
        guard let text = text(setting) else { return }
        guard let number = Int(text), range.contains(number) else {
            throw SettingsError(setting, "'\(text)' is invalid")
        }
        value = number
    }

    func flag(_ setting: Setting, _ value: inout Bool) throws(SettingsError) {
        switch text(setting) {
        case nil: break
        case "false": value = false
        case "true": value = true
        case let text?: throw SettingsError(setting, "'\(text)' is invalid")
        }
    }

    func address(_ setting: Setting, default standard: ListenAddress) throws(SettingsError) -> ListenAddress {
        guard let text = text(setting) else { return standard }
        guard let address = ListenAddress(text) else { throw SettingsError(setting, "'\(text)' is invalid") }
        return address
    }

    /// Returns the elements of a comma-separated setting; an empty list if it is not set. Keeps empty elements, which
    /// the caller refuses.
    func list(_ setting: Setting) -> [String] {
        guard let text = text(setting) else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { element in
            String(element.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        }
    }
}
