import ArgumentParser

/// The flags of the settings in one group.
///
/// ArgumentParser finds the flags of a type by reflection, and decodes their values. So instead of a property for each
/// flag, the mirror has a flag for each line of `SettingTable`.
protocol SettingFlags: ParsableArguments, CustomReflectable {
    static var group: Setting.Group { get }
    /// The values of the flags that were given, by setting.
    var values: [Setting: String] { get set }
}

struct ServerFlags: SettingFlags {
    static let group = Setting.Group.server
    var values: [Setting: String] = [:]
}

struct GatewayFlags: SettingFlags {
    static let group = Setting.Group.gateway
    var values: [Setting: String] = [:]
}

struct ControlFlags: SettingFlags {
    static let group = Setting.Group.control
    var values: [Setting: String] = [:]
}

struct RequestLogFlags: SettingFlags {
    static let group = Setting.Group.requestLog
    var values: [Setting: String] = [:]
}

extension SettingFlags {
    private static var settings: [Setting] { Setting.allCases.filter { $0.group == group } }

    var customMirror: Mirror {
        Mirror(self, children: Self.settings.map { (label: $0.name, value: $0.declaration) })
    }

    init(from decoder: any Decoder) throws {
        self.init()
        let container = try decoder.container(keyedBy: FlagKey.self)
        for setting in Self.settings { values[setting] = try setting.value(in: container) }
    }
}

/// The key of a flag's value: the name of its setting.
private struct FlagKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }

    init?(intValue: Int) { nil }
}

extension Setting {
    /// Returns the help of the flag, with the environment variable and the default.
    /// - Parameter text: the purpose of the flag; nil for that of the setting.
    func flagHelp(_ text: String? = nil) -> ArgumentHelp {
        let form = if case .list = accepts { ", separated by commas" } else { "" }
        return ArgumentHelp(
            "\(text ?? help) (\(environment)\(form))." + ((defaultValue ?? unset).map { " Default: \($0)." } ?? ""))
    }

    /// The flag, as the parser declares it.
    fileprivate var declaration: Any {
        let name = NameSpecification.customLong(String((flag ?? name).drop { $0 == "-" }))
        let help = flagHelp()
        return switch accepts {
        case .list: Option<[String]>(wrappedValue: [], name: name, help: help)
        case .boolean where defaultValue == "false": Flag(wrappedValue: false, name: name, help: help)
        default: Option<String?>(name: name, help: help, completion: accepts.completion)
        }
    }

    /// Returns the value of the flag; nil if it was not given.
    fileprivate func value(in container: KeyedDecodingContainer<FlagKey>) throws -> String? {
        let key = FlagKey(stringValue: name)
        switch accepts {
        case .list:
            let values = try container.decode(Option<[String]>.self, forKey: key).wrappedValue
            return values.isEmpty ? nil : values.joined(separator: ",")
        case .boolean where defaultValue == "false":
            return try container.decode(Flag<Bool>.self, forKey: key).wrappedValue ? "true" : nil
        default:
            return try container.decode(Option<String?>.self, forKey: key).wrappedValue
        }
    }
}

extension AcceptedValues {
    fileprivate var completion: CompletionKind? {
        switch self {
        case .text(_, let suggestions) where !suggestions.isEmpty: .list(suggestions)
        case .boolean: .list(["true", "false"])
        case .file: .file()
        case .folder: .directory
        default: nil
        }
    }
}
