import ArgumentParser
import AuthKeys
import ControlBodies
import KeyAdministration

/// `keyward keys`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Manage keys through the control listener of a running instance.",
        subcommands: [
            Create.self, List.self, Show.self, Explain.self, Usage.self, Update.self, Rotate.self, Deactivate.self,
            Delete.self, Limits.self, Credits.self, Import.self, Export.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a key. The secret is printed only once.")

        @Option(help: "The name of the key, 1 to 200 characters.", transform: GivenText.nonEmpty)
        var name: String

        @OptionGroup var attributes: AttributeOptions

        @Option(help: "The prefix of the secret. Default: kw.", transform: GivenText.nonEmpty)
        var prefix: String?

        @Option(
            help: "An idempotency key: a repeated command with the same one does not create another key.",
            transform: GivenText.nonEmpty)
        var idempotencyKey: String?

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                var members = try attributes.members()
                members["name"] = .text(name)
                members["prefix"] = prefix.map { .text($0) }
                let answer = try await client.connect().create(members, idempotencyKey: idempotencyKey)
                try client.print(issued: answer, isRotation: false)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List keys, newest first by default.")

        @Option(help: "The number of keys on a page, 1 to 1,000.")
        var limit = 100

        @Option(
            parsing: .unconditional,
            help: "The order: created, name, last_used or expires; a leading - means descending. Default: -created.",
            completion: .list(KeyOrder.all.map(\.description)), transform: GivenText.nonEmpty)
        var sort: String?

        @Flag(help: "List all pages.")
        var all = false

        @OptionGroup var table: TableOptions

        @OptionGroup var filters: FilterOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                let first = try await connection.list(query: query)
                let (keys, areMore): ([KeyJSON], Bool) = try await client.pages(
                    first, all: all, of: connection)
                if client.json {
                    try client.print(encoding: keys)
                    if areMore { Console.error(TableOptions.more) }
                    return
                }
                try table.print(KeyTable.table(keys, order: sort))
                if let total = first.total { Console.error(KeyTable.foot(of: keys.count, total, hasMore: areMore)) }
            }
        }

        /// The query of the request. It asks for the total only if a table is printed.
        private var query: [(String, String)] {
            [("limit", String(limit)), ("sort", sort), ("total", client.json ? nil : "true")]
                .compactMap { name, value in value.map { (name, $0) } } + filters.query
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one key.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                let answer = try await connection.show(id)
                if client.json { return try client.print(key: answer) }
                let key = try ControlClient.decode(KeyJSON.self, answer)
                let usage = try ControlClient.decode(
                    UsageJSON.self, try await connection.usage(id, days: 1, hours: 2))
                try Console.out(KeyTable.details(key, hours: usage.hours, at: .now))
            }
        }
    }

    struct Usage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show the use of a key by secret, by day and by hour.",
            discussion: """
                New requests are included within a minute, in hours and outcomes within about five minutes. Hours and outcomes \
                include refused requests.
                """
        )

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Option(help: "The number of days, 1 to 400.")
        var days = 30

        @Option(help: "The number of hours, at most 744. Default: 24.")
        var hours: Int?

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().usage(id, days: days, hours: hours)
                let usage = try ControlClient.decode(UsageJSON.self, answer)
                if client.json { return try client.print(answer) }
                try Console.out(KeyTable.lines(usage))
            }
        }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show whether a request with this key would be allowed, and why.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @OptionGroup var request: RequestOptions

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().explain(id, query: request.query)
                let explanation = try ControlClient.decode(ExplanationJSON.self, answer)
                if client.json { return try client.print(answer) }
                try Console.out(KeyTable.lines(explanation))
            }
        }
    }

    struct Deactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a key permanently. It grants no access once this command returns.")

        @Argument(help: "The key's id.", transform: GivenText.nonEmpty)
        var id: String

        @Flag(help: "Do not ask for confirmation, even if the key was used in the last seven days.")
        var yes = false

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                if !yes, Console.isInteractive {
                    let key = try ControlClient.decode(KeyJSON.self, try await connection.show(id))
                    if key.deactivatedAt == nil, key.wasUsedLately, let use = KeyTable.use(of: key),
                        !Console.confirms("The key was last used at \(use). Deactivate it permanently?")
                    {
                        throw CommandError(.failure, "not deactivated")
                    }
                }
                let answer = try await connection.deactivate(id)
                if let warning = answer.warning { Console.error("Warning: \(warning)") }
                if !client.json { try Console.out("deactivated \(id)") }
            }
        }
    }
}
