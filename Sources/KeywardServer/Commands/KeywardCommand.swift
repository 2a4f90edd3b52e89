import ArgumentParser

/// The program `keyward`.
public enum KeywardProgram {
    /// Reads the command line, and does what it says.
    public static func run() async {
        await KeywardCommand.main()
    }
}

/// `keyward`.
struct KeywardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keyward",
        abstract: "Issues, verifies and revokes API keys, with PostgreSQL as its only engine.",
        version: KeywardVersion.current,
        subcommands: [ServeCommand.self, MigrateCommand.self, KeysCommand.self, DoctorCommand.self])
}

enum KeywardVersion {
    static let current = "0.1.0"
}
