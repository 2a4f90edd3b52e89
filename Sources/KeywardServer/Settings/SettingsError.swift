/// An error for a setting that cannot be used. The text is one line that names the setting and the accepted values. It
/// never shows a value that may be a secret.
struct SettingsError: Error, CustomStringConvertible {
    let description: String

    init(_ setting: Setting, _ problem: String? = nil) {
        self.init(message: "\(setting.names) takes \(setting.accepts)" + (problem.map { ": \($0)" } ?? ""))
    }

    /// Creates an error for a setting with a valid value that cannot be applied.
    init(_ setting: Setting, cannot problem: String) {
        self.init(message: "\(setting.names): \(problem)")
    }

    /// Creates an error with a text in which each line break, such as one in a file name, becomes a space.
    init(message: String) {
        description = String(message.map { $0.isNewline ? " " : $0 })
    }

    /// The error for a start without an admin key, if the database holds none that can administer.
    static let adminKeyRequired = SettingsError(
        message: """
            \(Setting.adminKey.environment) (or --admin-key-file) is required, because the database holds no active \
            admin key with the permission admin: it takes \(Setting.adminKey.accepts)
            """)
}
