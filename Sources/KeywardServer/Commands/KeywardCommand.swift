import ArgumentParser
import AuthKeys
import ControlAPI
import Glibc

/// The entry point of the program `keyward`.
public enum KeywardProgram {
    /// The arguments of the command line. The parser's own option for completion scripts is read as `completions`.
    private static var arguments: [String] {
        CommandLine.arguments.dropFirst().enumerated().map { number, argument in
            number == 0 && argument == "--generate-completion-script" ? "completions" : argument
        }
    }

    /// Parses the command line, runs the command, and ends the process with status 0 or one of `CommandStatus`.
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
                Console.error(
                    UnknownCommand(in: arguments, of: KeywardCommand.self)?.description
                        ?? KeywardCommand.fullMessage(for: error))
                exit(CommandStatus.usage.rawValue)
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
            exit(Console.report(error).rawValue)
        }
    }
}

/// `keyward`.
struct KeywardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keyward",
        abstract: "Issue, verify and revoke API keys that are stored in PostgreSQL.",
        version: KeywardVersion.description,
        subcommands: [
            ServeCommand.self, MigrateCommand.self, KeysCommand.self, PlansCommand.self, OwnersCommand.self,
            AdminKeysCommand.self, AuditCommand.self, RequestsCommand.self, VerifyCommand.self, StatusCommand.self,
            HealthCommand.self, InstancesCommand.self,
            DoctorCommand.self, OpenAPICommand.self, CompletionsCommand.self,
        ])
}
