import ArgumentParser
import AuthKeys
import ControlBodies

/// `keyward verify`.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check whether a key is valid for a request.",
        discussion: """
            The key is read from standard input or a file, never from the command line, which other users can see. Exit status 0 \
            if the key is valid, 6 if not. The admin key needs the permission verify.
            """)

    @Option(
        help: "A file that holds the key. Default: the first line of standard input.", completion: .file(),
        transform: GivenText.nonEmpty)
    var keyFile: String?

    @OptionGroup var request: RequestOptions

    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await Console.failing {
            var members = request.members
            members["key"] = .text(try key())
            let answer = try await client.connect().verify(members)
            let verdict = try ControlClient.decode(VerdictJSON.self, answer)
            if client.json { try client.print(answer) } else { try Console.out(KeyTable.lines(verdict)) }
            guard verdict.valid else { throw ExitCode(CommandStatus.keyNotValid.rawValue) }
        }
    }

    private func key() throws -> String {
        let text: String
        if let keyFile {
            let (read, warning) = try SecretFile.read(keyFile)
            if let warning { Console.error("keyward: warning: \(warning)") }
            text = read
        } else {
            text = Console.secret("Key (not shown):") ?? ""
        }
        let name = keyFile ?? "standard input"
        guard let key = try SettingText.clean(text, name) else { throw CommandError(.failure, "\(name) holds no key") }
        return key
    }
}

/// The options for the request that a key is checked for.
struct RequestOptions: ParsableArguments {
    @Option(help: "The method of the request.", completion: .methods, transform: GivenText.nonEmpty)
    var method: String?

    @Option(help: "The path of the request.", transform: GivenText.nonEmpty)
    var path: String?

    @Option(help: "The client address of the request.", transform: GivenText.nonEmpty)
    var ip: String?

    @Option(
        name: .customLong("scope"), help: "A scope that the request needs; repeatable.",
        transform: GivenText.nonEmpty)
    var scopes: [String] = []

    /// The request as query parameters.
    var query: [(String, String)] {
        let scope = scopes.isEmpty ? nil : scopes.joined(separator: " ")
        return [("method", method), ("path", path), ("ip", ip), ("scope", scope)]
            .compactMap { name, value in value.map { (name, $0) } }
    }

    /// The request as members of a body.
    var members: [String: ControlClient.Member] {
        var members: [String: ControlClient.Member] = [:]
        for (name, text) in [("method", method), ("path", path), ("ip", ip)] { members[name] = text.map { .text($0) } }
        if !scopes.isEmpty { members["scopes"] = .list(scopes) }
        return members
    }
}
