import ArgumentParser
import FoundationEssentials

/// The options for a command's control listener, and for the form of its output.
struct ListenerOptions: ParsableArguments {
    @Option(
        help:
            "The URL of the control listener (KEYWARD_CONTROL_URL). Default: KEYWARD_CONTROL_ADDRESS, or http://127.0.0.1:9090.",
        transform: GivenText.nonEmpty)
    var controlUrl: String?

    @Flag(help: "Print the API's response as JSON.")
    var json = false

    func connection(_ environment: [String: String] = Self.environment) throws -> ListenerConnection {
        let given = try Self.text("KEYWARD_CONTROL_URL", "--control-url", controlUrl, environment)
        guard let given else { return ListenerConnection(base: try Self.local(environment)) }
        guard let url = URLComponents(string: given), ["http", "https"].contains(url.scheme),
            url.host?.isEmpty == false,
            url.user == nil, url.password == nil, url.query == nil, url.fragment == nil
        else {
            throw CommandError(
                .failure, "--control-url (KEYWARD_CONTROL_URL) takes a URL such as http://127.0.0.1:9090")
        }
        var base = given
        while base.hasSuffix("/") { base.removeLast() }
        return ListenerConnection(base: base)
    }

    /// The environment variables that are set. An empty variable counts as not set, as for the server's settings.
    static var environment: [String: String] { ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty } }

    /// Returns the URL of the control listener that a server on this machine with the same environment has.
    private static func local(_ environment: [String: String]) throws -> String {
        let name = Setting.controlAddress.environment
        guard let text = try text(name, nil, nil, environment) else { return "http://127.0.0.1:9090" }
        guard let address = ListenAddress(text) else { throw SettingsError(.controlAddress) }
        switch address.host {
        case "0.0.0.0": return "http://127.0.0.1:\(address.port)"
        case "::": return "http://[::1]:\(address.port)"
        default: return "http://\(address)"
        }
    }

    /// Returns the value of a flag or else of an environment variable, cleaned as all settings are.
    static func text(
        _ variable: String, _ flag: String?, _ given: String?, _ environment: [String: String]
    ) throws -> String? {
        guard let text = given ?? environment[variable] else { return nil }
        return try SettingText.clean(text, variable + (flag.map { " (\($0))" } ?? ""))
    }

    func print(_ body: [UInt8]) throws {
        try Console.out(String(decoding: body, as: UTF8.self))
    }
}
