import ArgumentParser
import Glibc
import KeyAdministration

/// `keyward audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Look at the trail of what admins did, and verify it.",
        subcommands: [List.self, Verify.self, Export.self])

    /// Which events.
    struct Filter: ParsableArguments {
        @Option(
            help: "Only of this actor: bootstrap, anonymous, system or the id of an admin key.",
            completion: .list(["bootstrap", "anonymous", "system"]), transform: GivenText.nonEmpty)
        var actor: String?

        @Option(
            help: "Only this action, such as key.deactivate.",
            completion: .list(AuditAction.allCases.map(\.rawValue)), transform: GivenText.nonEmpty)
        var action: String?

        @Option(help: "Only about this key, or admin key.", transform: GivenText.nonEmpty)
        var keyId: String?

        @Option(help: "Only about keys of this owner.", transform: GivenText.nonEmpty)
        var owner: String?

        @Option(help: "done or refused.", completion: .list(["done", "refused"]), transform: GivenText.nonEmpty)
        var outcome: String?

        @Option(help: "Only of the request with this id, as X-Request-Id gives it.", transform: GivenText.nonEmpty)
        var requestId: String?

        @Option(
            help: "The first moment, such as 2030-01-31T12:00:00Z, or how long ago, such as 24h.",
            transform: GivenDuration.momentOrAge)
        var since: String?

        @Option(help: "The moment after the last, or how long ago.", transform: GivenDuration.momentOrAge)
        var until: String?

        var query: [(String, String)] {
            [
                ("actor", actor), ("action", action), ("key_id", keyId), ("owner", owner), ("outcome", outcome),
                ("request_id", requestId), ("since", since), ("until", until),
            ].compactMap { name, value in value.map { (name, $0) } }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List events, newest first.")

        @Option(help: "The number of events, 1 to 1,000.")
        var limit = 100

        @Flag(help: "All pages.")
        var all = false

        @OptionGroup var table: TableOptions

        @OptionGroup var filter: Filter

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                let first = try await connection.auditEvents(query: [("limit", String(limit))] + filter.query)
                let (events, areMore): ([ControlClient.AuditEvent], Bool) = try await client.pages(
                    first, all: all, of: connection)
                if client.json {
                    try client.print(encoding: events)
                } else {
                    try table.print(AuditTable.table(events))
                }
                if areMore { Console.error(TableOptions.more) }
            }
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compute the chain again, and find any event that was changed, removed or inserted.",
            discussion: """
                Exit status 1 if anything is found. Keep the head that it prints where nobody who can write to the database can: \
                --expect finds out later whether the trail up to there is still what it was, and not cut off.
                """)

        @Option(
            help: "A head that was printed earlier, SEQ:HASH, the hash in 64 hexadecimal digits.",
            transform: GivenText.nonEmpty)
        var expect: String?

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().verifyAudit(expecting: expect)
                let result = try ControlClient.decode(ControlClient.Verification.self, answer)
                if client.json {
                    try client.print(answer)
                } else {
                    try Console.out(AuditTable.lines(result))
                }
                if !result.intact { throw ExitCode.failure }
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print all events, oldest first, as JSON, one a line. The export is put into the trail.")

        @OptionGroup var filter: Filter

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                try await client.connect().exportAudit(query: filter.query) {
                    try Console.write($0, to: STDOUT_FILENO, named: Console.standardOutput)
                }
            }
        }
    }
}
