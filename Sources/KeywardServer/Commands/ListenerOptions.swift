import ArgumentParser
import FoundationEssentials

/// The control listener that a command asks, and the form of its output.
struct ListenerOptions: ParsableArguments {
    @Option(
        help: "The control listener (KEYWARD_CONTROL_URL). Default: KEYWARD_CONTROL_ADDRESS, or http://127.0.0.1:9090.",
        transform: GivenText.nonEmpty)
    var controlUrl: String?

    @Flag(help: "Print what the API answers, for machines.")
    var json = false

    func connection(_ environment: [String: String] = Self.environment) throws -> ListenerConnection {
        let given = try Self.text("KEYWARD_CONTROL_URL", "--control-url", controlUrl, environment)
        guard let given else { return ListenerConnection(base: try Self.local(environment)) }
        guard let url = URLComponents(string: given), ["http", "https"].contains(url.scheme),
            url.host?.isEmpty == false,
            url.user == nil, url.password == nil, url.query == nil, url.fragment == nil
        else {
            throw StartError("--control-url (KEYWARD_CONTROL_URL) takes a URL such as http://127.0.0.1:9090")
        }
        var base = given
        while base.hasSuffix("/") { base.removeLast() }
        return ListenerConnection(base: base)
    }

    /// The variables that are set. An empty one counts as one that is not, as for the server's settings.
    static var environment: [String: String] { ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty } }

    /// The listener of a server with the same environment on this machine.
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

    /// The flag's value, or the variable's, under the rule for all settings.
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
