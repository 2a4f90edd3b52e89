import ArgumentParser
import FoundationEssentials

/// The options for a command's control listener, and for the form of its output.
struct ListenerOptions: ParsableArguments {
    @Option(help: Setting.controlURL.flagHelp(), transform: GivenText.nonEmpty)
    var controlUrl: String?

    @Flag(help: "Print the API's response as JSON.")
    var json = false

    func connection(_ environment: [String: String] = Self.environment) throws -> ListenerConnection {
        let given = try Self.text(.controlURL, controlUrl, environment)
        guard let given else { return ListenerConnection(base: try Self.local(environment)) }
        guard let url = URLComponents(string: given), ["http", "https"].contains(url.scheme),
            url.host?.isEmpty == false,
            url.user == nil, url.password == nil, url.query == nil, url.fragment == nil
        else { throw SettingsError(.controlURL) }
        var base = given
        while base.hasSuffix("/") { base.removeLast() }
        return ListenerConnection(base: base)
    }

    /// The environment variables that are set. An empty variable counts as not set, as for the server's settings.
    static var environment: [String: String] { ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty } }

    /// Returns the URL of the control listener that a server on this machine with the same environment has.
    private static func local(_ environment: [String: String]) throws -> String {
        let text = try text(Setting.controlAddress, nil, environment)
        guard let address = text.flatMap({ ListenAddress($0) }) else { throw SettingsError(Setting.controlAddress) }
        switch address.host {
        case "0.0.0.0": return "http://127.0.0.1:\(address.port)"
        case "::": return "http://[::1]:\(address.port)"
        default: return "http://\(address)"
        }
    }

    /// Returns the value of a flag, or else of the environment variable, or else the default, cleaned as all settings
    /// are.
    static func text(_ setting: Setting, _ given: String?, _ environment: [String: String]) throws -> String? {
        guard let text = given ?? environment[setting.environment] else { return setting.defaultValue }
        return try SettingText.clean(text, setting.names) ?? setting.defaultValue
    }

    func print(_ body: [UInt8]) throws {
        try Console.out(String(decoding: body, as: UTF8.self))
    }
}
