/// A setting of the server: its names, the accepted values, the default and the help.
///
/// `SettingTable` has one line for each setting. `Setting.threads` is the setting of the line `threads`.
@dynamicMemberLookup
struct Setting: CaseIterable, Hashable, Sendable {
    /// A group of flags in the help. A `command` talks to the control listener, and is not the server.
    enum Group: Sendable {
        case server, gateway, control, requestLog, command
    }

    /// The name in a configuration file.
    let name: String
    /// The group of the flag; nil if the value is not allowed on the command line.
    let group: Group?
    /// The name of the flag, with its dashes; nil if the value is not allowed on the command line.
    let flag: String?
    let accepts: AcceptedValues
    /// The text that applies if no value is set, as a user would write it; nil if there is none.
    let defaultValue: String?
    /// The effect if no value is set, for the help.
    let unset: String?
    let help: String
    /// True if the value may hold a secret.
    let isSecret: Bool

    /// - Parameter flag: the name of the flag; nil for that of the setting, with dashes.
    init(
        _ group: Group?, _ name: String, flag: String? = nil, _ accepts: AcceptedValues,
        default defaultValue: String? = nil, unset: String? = nil, isSecret: Bool = false, _ help: String
    ) {
        self.name = name
        self.group = group
        self.flag = group == nil ? nil : flag ?? "--" + name.split(separator: "_").joined(separator: "-")
        self.accepts = accepts
        self.defaultValue = defaultValue
        self.unset = unset
        self.isSecret = isSecret
        self.help = help
    }

    /// All lines of the table, in its order.
    static let allCases = Mirror(reflecting: table).children.compactMap { $0.value as? Setting }
    private static let table = SettingTable()

    static subscript(dynamicMember line: KeyPath<SettingTable, Setting>) -> Setting { table[keyPath: line] }

    /// The name of the environment variable.
    var environment: String { "KEYWARD_" + name.uppercased() }

    /// The names of the environment variable and the flag, for error messages.
    var names: String { environment + (flag.map { " (\($0))" } ?? "") }
}

/// The environment variables and flags that are no settings of the server, and not members of a configuration file.
extension Setting {
    static let config = Setting(
        .server, "config", .file("a file with a JSON object of strings, numbers and booleans"),
        "A JSON file of settings, which flags and environment variables override")
    static let controlURL = Setting(
        .command, "control_url", .text("a URL such as http://127.0.0.1:9090"),
        unset: "KEYWARD_CONTROL_ADDRESS, or http://127.0.0.1:9090", "The URL of the control listener")
}
