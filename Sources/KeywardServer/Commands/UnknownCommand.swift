import ArgumentParser
import ControlAPI

/// A word on the command line in the position of a command that does not exist.
struct UnknownCommand {
    /// The names that other programs use for the commands.
    private static let synonyms = [
        "ls": "list", "get": "show", "add": "create", "new": "create", "make": "create", "generate": "create",
        "edit": "update", "set": "update", "revoke": "deactivate", "disable": "deactivate", "rm": "delete",
        "remove": "delete", "roll": "rotate", "start": "serve", "run": "serve", "server": "serve", "check": "doctor",
    ]

    private let word: String
    /// The names of the commands before the unknown word.
    private let path: [String]
    private let known: [String]

    /// Finds the unknown word in arguments that cannot be parsed; nil if all commands are known.
    init?(in arguments: [String], of root: any ParsableCommand.Type) {
        var command = root
        var path = [root.configuration.commandName ?? ""]
        for argument in arguments {
            let subcommands = command.configuration.subcommands
            // The search ends at an option, because the value of an option could look like a command.
            if subcommands.isEmpty || argument.hasPrefix("-") || argument == "help" { return nil }
            guard let next = subcommands.first(where: { $0._commandName == argument }) else {
                word = argument
                self.path = path
                known = subcommands.map { $0._commandName }
                return
            }
            command = next
            path.append(argument)
        }
        return nil
    }

    var description: String {
        let command = path.joined(separator: " ")
        let shown = TextTable.printable(word)
        let near = Self.synonyms[word].flatMap { known.contains($0) ? $0 : nil } ?? NearestName.of(word, among: known)
        let advice = near.map { ": did you mean '\(command) \($0)'?" } ?? ""
        return """
            keyward: '\(command)' has no command '\(shown)'\(advice)
            The commands are \(known.joined(separator: ", ")). See '\(command) --help'.
            """
    }
}
