import ArgumentParser
import ControlBodies

/// `keyward instances`.
struct InstancesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instances", abstract: "List and operate the running instances through the control listener.",
        subcommands: [List.self, Resync.self], defaultSubcommand: List.self)

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the instances, live ones first.",
            discussion: """
                An instance is live until 10 s after its last heartbeat, and is listed for some minutes after it ended without a \
                graceful shutdown. LAG is the number of changes of keys that it had not read at that heartbeat.
                """)

        @OptionGroup var table: TableOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().instances()
                if client.json { return try client.print(answer) }
                try table.print(InstanceTable.table(try ControlClient.decode([InstanceJSON].self, answer)))
            }
        }
    }

    struct Resync: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make all instances reload all keys.",
            discussion: """
                Each instance continuously compares its keys with the database; this command makes it compare all of them at once. \
                If an instance knows of a revocation that the database lost, the instance keeps it and writes it back.

                With --accept-database the instances accept the database as it is now, even if it revives revoked keys. Use it \
                after a restore, if you want the older state.
                """)

        @Flag(help: "Accept the database as it is, even if it revives revoked keys or lacks keys.")
        var acceptDatabase = false

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().resync(acceptDatabase: acceptDatabase)
                if client.json {
                    try client.print(answer)
                } else {
                    try Console.out(
                        "all instances reload all keys\(acceptDatabase ? ", and accept the database" : "")")
                }
            }
        }
    }
}
