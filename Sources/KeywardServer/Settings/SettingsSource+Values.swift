import ControlAPI

/// Readers of the common types of settings. Each throws an error with the setting's name for an invalid value.
extension SettingsSource {
    func duration(_ setting: Setting) throws(SettingsError) -> Duration {
        try value(setting, setting.accepts.duration)
    }

    func number(_ setting: Setting) throws(SettingsError) -> Int {
        try value(setting, setting.accepts.number)
    }

    func boolean(_ setting: Setting) throws(SettingsError) -> Bool {
        try value(setting) { Bool($0) }
    }

    func address(_ setting: Setting) throws(SettingsError) -> ListenAddress {
        try value(setting) { ListenAddress($0) }
    }

    /// Returns the value of a setting that is set or has a default.
    func value<Value>(_ setting: Setting, _ parse: (String) -> Value?) throws(SettingsError) -> Value {
        try Self.parse(text(setting) ?? "", setting, parse)
    }

    /// Returns the values of a comma-separated setting; an empty list if it is not set.
    func list<Value>(_ setting: Setting, _ parse: (String) -> Value?) throws(SettingsError) -> [Value] {
        try list(setting).map { text throws(SettingsError) in try Self.parse(text, setting, parse) }
    }

    /// Returns the elements of a comma-separated setting; an empty list if it is not set. Keeps empty elements, which
    /// the caller refuses.
    func list(_ setting: Setting) -> [String] {
        guard let text = text(setting) else { return [] }
        return text.split(separator: ",", omittingEmptySubsequences: false).map { element in
            String(element.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        }
    }

    private static func parse<Value>(
        _ text: String, _ setting: Setting, _ parse: (String) -> Value?
    ) throws(SettingsError) -> Value {
        guard let value = parse(text) else { throw SettingsError(setting, "'\(text)' is invalid") }
        return value
    }
}
