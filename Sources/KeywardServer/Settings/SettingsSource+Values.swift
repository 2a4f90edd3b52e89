import ControlAPI

/// Settings of the common kinds. Each refuses what it cannot read, by the setting's name.
extension SettingsSource {
    func duration(_ setting: Setting, default standard: Duration) throws(SettingsError) -> Duration {
        guard let text = text(setting) else { return standard }
        guard let duration = Duration(setting: text) else { throw SettingsError(setting, "'\(text)' is none") }
        return duration
    }

    /// A duration that is longer than zero.
    func timeout(_ setting: Setting, _ value: inout Duration) throws(SettingsError) {
        value = try duration(setting, default: value)
        guard value > .zero else { throw SettingsError(setting, "it cannot be 0") }
    }

    func number(_ setting: Setting, _ value: inout Int, in range: ClosedRange<Int>) throws(SettingsError) {
        guard let text = text(setting) else { return }
        guard let number = Int(text), range.contains(number) else { throw SettingsError(setting, "'\(text)' is none") }
        value = number
    }

    func flag(_ setting: Setting, _ value: inout Bool) throws(SettingsError) {
        switch text(setting) {
        case nil: break
        case "false": value = false
        case "true": value = true
        case let text?: throw SettingsError(setting, "'\(text)' is neither")
        }
    }

    func address(_ setting: Setting, default standard: ListenAddress) throws(SettingsError) -> ListenAddress {
        guard let text = text(setting) else { return standard }
        guard let address = ListenAddress(text) else { throw SettingsError(setting, "'\(text)' is none") }
        return address
    }

    /// The elements of a comma-separated setting; none when it is not set. An empty element is kept, to be refused.
    func list(_ setting: Setting) -> [String] {
        guard let text = text(setting) else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { element in
            String(element.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        }
    }
}
