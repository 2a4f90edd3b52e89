import ArgumentParser

/// `keyward keys`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Manage keys through the control listener of a running Keyward.",
        subcommands: [
            Create.self, List.self, Show.self, Explain.self, Update.self, Rotate.self, Deactivate.self, Delete.self,
        ])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key. Its secret is printed, this once.")

        @OptionGroup var client: ClientOptions

        @Option(help: "What the key is called, 1 to 200 characters.")
        var name: String

        @OptionGroup var attributes: AttributeOptions

        @Option(help: "What the secret begins with, instead of 'kw'.")
        var prefix: String?

        @Option(help: "Makes a repetition of this command safe: no second key under the same text.")
        var idempotencyKey: String?

        func run() async throws {
            try await Console.failing {
                var members = try attributes.members()
                members["name"] = .text(name)
                members["prefix"] = prefix.map { .text($0) }
                let answer = try await client.make().create(members, idempotencyKey: idempotencyKey)
                try client.print(issued: answer)
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List keys, newest first.")

        @OptionGroup var client: ClientOptions

        @Option(help: "How many, 1 to 1,000.")
        var limit = 100

        @Option(help: "active, disabled, deactivated or expired.")
        var status: String?

        @Option(help: "Only keys of this owner.")
        var owner: String?

        @Option(help: "Only keys with this label: NAME or NAME=VALUE.")
        var label: String?

        @Option(
            name: [.customShort("q"), .customLong("query")], help: "Only keys whose name or description contains this.")
        var text: String?

        @Flag(help: "All pages.")
        var all = false

        func run() async throws {
            try await Console.failing {
                let connection = try client.make()
                var query = [("limit", String(limit))]
                if let status { query.append(("status", status)) }
                if let owner { query.append(("owner", owner)) }
                if let label { query.append(("label", label)) }
                if let text { query.append(("q", text)) }
                let first = try await connection.list(query: query)
                let (keys, areMore): ([ControlClient.Key], Bool) = try await client.pages(
                    first, all: all, of: connection)
                if client.json { return try client.print(encoding: keys) }
                for line in KeyTable.lines(keys) { Console.out(line) }
                if areMore { Console.error("There are more: --all lists them.") }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one key.")

        @OptionGroup var client: ClientOptions

        @Argument(help: "The key's id.")
        var id: String

        func run() async throws {
            try await Console.failing {
                let answer = try await client.make().show(id)
                try client.print(key: answer)
            }
        }
    }

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell what would become of a request with this key, and why.")

        @OptionGroup var client: ClientOptions

        @Argument(help: "The key's id.")
        var id: String

        @Option(help: "The request's method.")
        var method: String?

        @Option(help: "The request's path.")
        var path: String?

        @Option(help: "Where the request comes from.")
        var ip: String?

        @Option(name: .customLong("scope"), help: "A scope that the request needs; repeatable.")
        var scopes: [String] = []

        func run() async throws {
            try await Console.failing {
                let scope = scopes.isEmpty ? nil : scopes.joined(separator: " ")
                let query = [("method", method), ("path", path), ("ip", ip), ("scope", scope)]
                    .compactMap { name, value in value.map { (name, $0) } }
                let answer = try await client.make().explain(id, query: query)
                let explanation = try ControlClient.decode(ControlClient.Explanation.self, answer)
                if client.json { return try client.print(encoding: explanation) }
                for line in KeyTable.lines(explanation) { Console.out(line) }
            }
        }
    }

    struct Deactivate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a key for good. It opens nothing any more when this returns.")

        @OptionGroup var client: ClientOptions

        @Argument(help: "The key's id.")
        var id: String

        func run() async throws {
            try await Console.failing {
                try await client.make().deactivate(id)
                if !client.json { Console.out("deactivated \(id)") }
            }
        }
    }
}
