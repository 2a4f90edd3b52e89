import AuthKeys
import Configuration
import FoundationEssentials

/// The texts of settings from flags, the environment and a file, in this order of precedence. `SettingText` cleans
/// each.
struct SettingsSource {
    /// Warnings about the configuration file, for the log.
    private(set) var warnings: [String] = []
    private var texts: [Setting: String] = [:]

    /// Reads the texts of all settings.
    /// - Parameters:
    ///   - flags: the values of the command line.
    ///   - environment: all environment variables. An unknown one that begins with `KEYWARD_` is an error.
    ///   - file: the path of a file with a JSON object, whose members have the settings' names; nil for no file.
    init(flags: [Setting: String], environment: [String: String], file: String?) throws(SettingsError) {
        try Self.refuseUnknown(environment: environment)
        for (setting, text) in flags { try Self.refuseEmpty(text, setting.names) }
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "flags", values: Self.values(flags)),
            EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(with: "keyward"),
        ]
        if let file = try file.flatMap({ path throws(SettingsError) in
            try SettingText.clean(path, Setting.config.names)
        }) {
            let settings = try Self.read(file)
            for (setting, text) in settings { try Self.refuseEmpty(text, setting.names) }
            if let warning = try Self.inspect(file, settings) { warnings.append(warning) }
            providers.append(InMemoryProvider(name: "file", values: Self.values(settings)))
        }
        let reader = ConfigReader(providers: providers)
        for setting in Setting.allCases {
            let key = ConfigKey(setting.name)
            guard let text = reader.string(forKey: key, isSecret: setting.isSecret) else { continue }
            texts[setting] = try SettingText.clean(text, setting.names)
        }
    }

    /// Returns the text of a setting, or its default; nil if the setting is not set or empty, and has no default.
    func text(_ setting: Setting) -> String? { texts[setting] ?? setting.defaultValue }

    /// Refuses an empty value of a flag or file: a script with an unset variable would otherwise lift a restriction. An
    /// empty environment variable is valid, and counts as not set.
    static func refuseEmpty(_ text: String, _ name: String) throws(SettingsError) {
        guard try SettingText.clean(text, name) != nil else {
            throw SettingsError(message: "\(name) is empty: remove it, or give it a value")
        }
    }

    /// Refuses a file that other users can write, because they could lift every restriction with it. Returns a warning
    /// if the file holds secrets and other users can read it.
    private static func inspect(_ path: String, _ settings: [Setting: String]) throws(SettingsError) -> String? {
        do throws(SecretFile.Refusal) {
            let warning = try SecretFile.inspect(path)
            return settings.keys.contains(where: \.isSecret) ? warning : nil
        } catch {
            throw SettingsError(.config, cannot: "\(error)")
        }
    }

    private static func values(_ settings: [Setting: String]) -> [AbsoluteConfigKey: ConfigValue] {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for (setting, text) in settings {
            values[AbsoluteConfigKey(ConfigKey(setting.name))] = ConfigValue(.string(text), isSecret: true)
        }
        return values
    }

    /// Returns true for a variable with which Kubernetes announces a service named `keyward` to every container, such
    /// as `<SERVICE>_SERVICE_HOST` and `<SERVICE>_PORT_8080_TCP`. No setting has such a name.
    private static func isServiceLink(_ name: String, _ value: String) -> Bool {
        name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.contains("_PORT_")
            || name.hasSuffix("_PORT") && value.contains("://")
    }

    private static func refuseUnknown(environment: [String: String]) throws(SettingsError) {
        let known = Set((Setting.allCases + [.config, .controlURL]).map(\.environment))
        let unknown = environment.filter { name, value in
            name.hasPrefix("KEYWARD_") && !known.contains(name) && !isServiceLink(name, value)
        }
        if let name = unknown.keys.min() {
            throw SettingsError(message: "\(name) is not a setting of Keyward: see 'keyward serve --help'")
        }
    }

    private static func read(_ path: String) throws(SettingsError) -> [Setting: String] {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw SettingsError(.config, "\(path) cannot be read")
        }
        do {
            try data.withUnsafeBytes { try JSONScanner.check($0) }
        } catch let defect as JSONDefect {
            if defect.namesMember, case .member(let name) = defect.path.last {
                throw SettingsError(message: "'\(name)' in \(path) \(defect.reason)")
            }
            throw SettingsError(.config, "\(path) is not one: \(defect.message)")
        } catch {
            throw SettingsError(.config, "\(path) cannot be read")
        }
        guard let members = try? JSONDecoder().decode([String: Member].self, from: data) else {
            throw SettingsError(.config, "\(path) is not one")
        }
        var settings: [Setting: String] = [:]
        for (name, member) in members {
            guard let setting = Setting.allCases.first(where: { $0.name == name }) else {
                throw SettingsError(message: "'\(name)' in \(path) is not a setting of Keyward")
            }
            settings[setting] = member.text
        }
        return settings
    }

    private struct Member: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                text = flag ? "true" : "false"
            } else if let number = try? container.decode(Int.self) {
                text = String(number)
            } else if let number = try? container.decode(Double.self) {
                text = String(number)
            } else {
                text = try container.decode(String.self)
            }
        }
    }
}
