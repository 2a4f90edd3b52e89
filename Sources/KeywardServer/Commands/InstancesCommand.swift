import ArgumentParser

/// `keyward instances`.
struct InstancesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "instances", abstract: "Operate the running instances through the control listener.",
        subcommands: [Resync.self])

    struct Resync: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make all instances load all keys again.",
            discussion: """
                Each instance compares its keys with the database without end; this makes it look at all of them at once. An end of \
                a key that an instance knows and the database lost is kept, and written back into the database.

                With --accept-database the instances believe the database as it is now, also where it revives a key that was revoked. \
                Use it after a restore whose older state is meant.
                """)

        @Flag(help: "Believe the database where it revives keys or lacks some.")
        var acceptDatabase = false

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().resync(acceptDatabase: acceptDatabase)
                if client.json {
                    try client.print(answer)
                } else {
                    try Console.out(
                        "all instances load all keys again\(acceptDatabase ? ", and accept the database" : "")")
                }
            }
        }
    }
}
