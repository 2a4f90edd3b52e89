import ArgumentParser
import ControlAPI
import ControlBodies
import FoundationEssentials

/// The options of commands that need an admin key: the key, the control listener, and the form of the output.
struct ClientOptions: ParsableArguments {
    @Option(help: Setting.adminKeyFile.flagHelp(), completion: .file(), transform: GivenText.nonEmpty)
    var adminKeyFile: String?

    @Option(
        help: Setting.dataDirectory.flagHelp("The data folder of Keyward, with the admin key if no other is given"),
        completion: .directory, transform: GivenText.nonEmpty)
    var dataDir: String?

    @OptionGroup var listener: ListenerOptions

    var json: Bool { listener.json }

    /// Connects to the control listener. The admin key is not sent to a server that is not a control listener.
    func connect() async throws -> ControlClient {
        let environment = ListenerOptions.environment
        let connection = try listener.connection(environment)
        let adminKey = try adminKey(environment)
        try await connection.identify()
        return ControlClient(listener: connection, adminKey: adminKey)
    }

    func print(_ answer: ControlClient.Answer) throws {
        try listener.print(answer.body)
    }

    /// Prints the key in a response.
    func print(key answer: ControlClient.Answer) throws {
        if json { return try print(answer) }
        try Console.out(KeyTable.details(try ControlClient.decode(KeyJSON.self, answer)))
    }

    /// Prints the admin key in a response.
    func print(adminKey answer: ControlClient.Answer) throws {
        if json { return try print(answer) }
        try Console.out(AdminKeyTable.details(try ControlClient.decode(AdminKeyJSON.self, answer)))
    }

    /// Returns all pages of a list, or the first one, and true if there are more.
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
        let named = try ListenerOptions.text(Setting.adminKeyFile, adminKeyFile, environment)
        // `serve` gives the file precedence too.
        if named == nil, let key = try ListenerOptions.text(Setting.adminKey, nil, environment) {
            return key
        }
        let folder = try ListenerOptions.text(Setting.dataDirectory, dataDir, environment)
        do {
            guard let path = named ?? folder.map({ $0 + "/admin-key" }) else {
                throw SettingsError(Setting.adminKeyFile)
            }
            let (key, warning) = try AdminKeyFile.read(path)
            if let warning { Console.error("keyward: warning: \(warning)") }
            return key
        } catch {
            throw CommandError(
                .failure,
                "there is no admin key: set KEYWARD_ADMIN_KEY, --admin-key-file, or --data-dir for the data folder (\(error))"
            )
        }
    }
}
