import ArgumentParser
import ControlAPI
import FoundationEssentials

/// How commands reach a running Keyward, and how they print.
struct ClientOptions: ParsableArguments {
    @Option(
        help: "The control listener (KEYWARD_CONTROL_URL). Default: http://127.0.0.1:9090.",
        transform: GivenText.nonEmpty)
    var controlUrl: String?

    @Option(
        help: "A file that holds the admin key (or the key itself in KEYWARD_ADMIN_KEY).", completion: .file(),
        transform: GivenText.nonEmpty)
    var adminKeyFile: String?

    @Option(
        help: "Keyward's folder, where the admin key is looked for otherwise (KEYWARD_DATA_DIR). Default: .keyward.",
        completion: .directory, transform: GivenText.nonEmpty)
    var dataDir: String?

    @Flag(help: "Print what the API answers, for machines.")
    var json = false

    func make() throws -> ControlClient {
        // An empty variable is one that is not set, as for the server's settings.
        let environment = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        var base =
            try Self.text("KEYWARD_CONTROL_URL", "--control-url", controlUrl, environment) ?? "http://127.0.0.1:9090"
        while base.hasSuffix("/") { base.removeLast() }
        guard base.hasPrefix("http://") || base.hasPrefix("https://") else {
            throw StartError("--control-url (KEYWARD_CONTROL_URL) takes a URL such as http://127.0.0.1:9090")
        }
        return ControlClient(base: base, adminKey: try adminKey(environment))
    }

    func print(_ answer: ControlClient.Answer) throws {
        try Console.out(String(decoding: answer.body, as: UTF8.self))
    }

    /// Prints the key that was answered.
    func print(key answer: ControlClient.Answer) throws {
        if json { return try print(answer) }
        try Console.out(KeyTable.details(try ControlClient.decode(ControlClient.Key.self, answer)))
    }

    /// Prints the admin key that was answered.
    func print(adminKey answer: ControlClient.Answer) throws {
        if json { return try print(answer) }
        try Console.out(AdminKeyTable.details(try ControlClient.decode(ControlClient.AdminKey.self, answer)))
    }

    /// All pages of a list, or the first one, and whether there are more.
    func pages<Element: Decodable>(
        _ first: ControlClient.Answer, all: Bool, of connection: ControlClient
    ) async throws -> (elements: [Element], areMore: Bool) {
        var answer = first
        var elements = try ControlClient.decode([Element].self, answer)
        while all, let next = answer.next {
            answer = try await connection.page(next)
            elements += try ControlClient.decode([Element].self, answer)
        }
        return (elements, answer.next != nil)
    }

    func print(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try Console.out(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    private func adminKey(_ environment: [String: String]) throws -> String {
        let named = try Self.text("KEYWARD_ADMIN_KEY_FILE", "--admin-key-file", adminKeyFile, environment)
        if adminKeyFile == nil, let key = try Self.text("KEYWARD_ADMIN_KEY", nil, nil, environment) { return key }
        let folder = try Self.text("KEYWARD_DATA_DIR", "--data-dir", dataDir, environment) ?? ".keyward"
        do {
            let (key, warning) = try AdminKeyFile.read(named ?? folder + "/admin-key")
            if let warning { Console.error("keyward: warning: \(warning)") }
            return key
        } catch {
            throw StartError(
                "no admin key: set KEYWARD_ADMIN_KEY, name a file with --admin-key-file, or Keyward's folder with --data-dir (\(error))"
            )
        }
    }

    /// The flag's value, or the variable's, under the rule for all settings.
    private static func text(
        _ variable: String, _ flag: String?, _ given: String?, _ environment: [String: String]
    ) throws -> String? {
        guard let text = given ?? environment[variable] else { return nil }
        return try SettingText.clean(text, variable + (flag.map { " (\($0))" } ?? ""))
    }
}
