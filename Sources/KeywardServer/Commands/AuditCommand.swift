import ArgumentParser
import ControlBodies
import Glibc
import KeyAdministration

/// `keyward audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Show and verify the audit trail of admin actions.",
        subcommands: [List.self, Verify.self, Export.self])

    /// The events that a command selects.
    struct Filter: ParsableArguments {
        @Option(
            help:
                "Only events of this actor: bootstrap, anonymous, system, the id of an admin key, or key:ID for a holder.",
            completion: .list(["bootstrap", "anonymous", "system"]), transform: GivenText.nonEmpty)
        var actor: String?

        @Option(
            help: "Only events with this action, such as key.deactivate.",
            completion: .list(AuditAction.allCases.map(\.rawValue)), transform: GivenText.nonEmpty)
        var action: String?

        @Option(help: "Only events about the key or admin key with this id.", transform: GivenText.nonEmpty)
        var keyId: String?

        @Option(
            help: "Only events about keys of this owner; 'acme/**' for acme and all owners below it.",
            transform: GivenText.nonEmpty)
        var owner: String?

        @Option(
            help: "Only events with this outcome: done or refused.", completion: .list(["done", "refused"]),
            transform: GivenText.nonEmpty)
        var outcome: String?

        @Option(
            help: "Only events of the request with this id, as in X-Request-Id.", transform: GivenText.nonEmpty)
        var requestId: String?

        @Option(
            help: "Only events at or after this time, such as 2030-01-31T12:00:00Z, or this long ago, such as 24h.",
            transform: GivenDuration.momentOrAge)
        var since: String?

        @Option(
            help: "Only events before this time, or more than this long ago.", transform: GivenDuration.momentOrAge)
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

        @Option(help: "The number of events on a page, 1 to 1,000.")
        var limit = 100

        @Flag(help: "List all pages.")
        var all = false

        @OptionGroup var table: TableOptions

        @OptionGroup var filter: Filter

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                let first = try await connection.auditEvents(query: [("limit", String(limit))] + filter.query)
                let (events, areMore): ([AuditEventJSON], Bool) = try await client.pages(
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
            abstract: "Recompute the hash chain, and report events that were changed, removed or inserted.",
            discussion: """
                Exit status 1 if there is a finding. Keep the printed head where no one who can write to the database can change \
                it. A later run with --expect HEAD reports whether the trail up to that head was changed or cut off.
                """)

        @Option(
            help: "A head that an earlier run printed, as SEQ:HASH with 64 hexadecimal digits.",
            transform: GivenText.nonEmpty)
        var expect: String?

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().verifyAudit(expecting: expect)
                let result = try ControlClient.decode(VerificationJSON.self, answer)
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
            abstract:
                "Print all events, oldest first, as one JSON object per line. The trail records the export itself.")

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
