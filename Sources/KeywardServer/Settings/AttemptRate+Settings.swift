import AuthKeys
import ControlAPI

extension AttemptRate {
    /// Reads the setting; nil if it is off.
    static func value(in source: SettingsSource) throws(SettingsError) -> AttemptRate? {
        if source.text(Setting.failedAttempts) == "off" { return nil }
        // With an optional value, a rate that is out of range would mean off.
        let rate: AttemptRate = try source.value(Setting.failedAttempts) { AttemptRate(setting: $0) }
        return rate
    }

    /// Reads a number of attempts and a time: `60/1m`.
    private init?(setting text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let attempts = Int(parts[0]), let period = Duration(setting: String(parts[1])) else {
            return nil
        }
        self.init(attempts, in: period)
    }
}
