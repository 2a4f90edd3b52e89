import ArgumentParser
import Glibc

/// The program `keyward`.
public enum KeywardProgram {
    /// Wrong usage; ArgumentParser's own would be 64.
    private static let usageStatus: Int32 = 2

    /// The command line; with what the parser itself has for completions as the command that it is here.
    private static var arguments: [String] {
        CommandLine.arguments.dropFirst().enumerated().map { number, argument in
            number == 0 && argument == "--generate-completion-script" ? "completions" : argument
        }
    }

    /// Reads the command line, does what it says, and ends the process: 0, 1 (refused or failed), 2 (usage).
    public static func run() async -> Never {
        StandardStreams.prepare()
        do {
            var command = try KeywardCommand.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            KeywardCommand.exit()
        } catch {
            switch KeywardCommand.exitCode(for: error) {
            case .success: show(KeywardCommand.fullMessage(for: error))
            case .validationFailure:
                Console.error(KeywardCommand.fullMessage(for: error))
                exit(usageStatus)
            default: KeywardCommand.exit(withError: error)
            }
        }
    }

    /// Prints a help text or the version, and ends the process.
    private static func show(_ text: String) -> Never {
        do {
            try Console.out(text)
            KeywardCommand.exit()
        } catch {
            Console.error("keyward: \(error)")
            KeywardCommand.exit(withError: ExitCode.failure)
        }
    }
}

/// `keyward`.
struct KeywardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keyward",
        abstract: "Issues, verifies and revokes API keys, with PostgreSQL as its only engine.",
        version: KeywardVersion.current,
        subcommands: [
            ServeCommand.self, MigrateCommand.self, KeysCommand.self, AdminKeysCommand.self, AuditCommand.self,
            InstancesCommand.self, DoctorCommand.self, OpenAPICommand.self, CompletionsCommand.self,
        ])
}

enum KeywardVersion {
    static let current = "0.1.0"
}
