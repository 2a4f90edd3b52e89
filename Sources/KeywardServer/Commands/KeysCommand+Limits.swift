import ArgumentParser
import ControlBodies

/// The commands about the limits and credits of a key.
extension KeysCommand {
    struct Limits: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the levels of the limits of a key, its plan and its owner.",
            discussion:
                "Instances report within about a second, and what others than the asked one have leased counts as used. --reset gives all units back."
        )

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(
            help: "The name of a limit of the key or its plan, to give the key back all its units.",
            transform: GivenText.nonEmpty)
        var reset: String?

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                if let reset { try await connection.resetLimit(reset, ofKey: id) }
                let answer = try await connection.limits(ofKey: id)
                if client.json { return try client.print(answer) }
                try Console.out(LimitTable.lines(try ControlClient.decode(KeyLimitsJSON.self, answer)))
            }
        }
    }

    struct Credits: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change what is left of the credits of a key.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(help: "The number of units to add.")
        var add: Int64?

        @Option(help: "The number of units that are left then.")
        var set: Int64?

        @Option(
            help: "An idempotency key: a repeated command with the same one changes nothing.",
            transform: GivenText.nonEmpty)
        var idempotencyKey: String?

        @OptionGroup var client: ClientOptions

        func validate() throws {
            guard (add == nil) != (set == nil) else {
                throw ValidationError("--add or --set is required, and not both")
            }
        }

        func run() async throws {
            try await Console.failing {
                var change: [String: Int64] = [:]
                change["add"] = add
                change["set"] = set
                let answer = try await client.connect().changeCredits(
                    ofKey: id, change, idempotencyKey: idempotencyKey)
                try client.print(key: answer)
            }
        }
    }
}
