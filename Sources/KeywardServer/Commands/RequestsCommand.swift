import ArgumentParser
import ControlBodies
import FoundationEssentials
import Glibc
import NIOCore
import RequestLog

/// `keyward requests`.
struct RequestsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests", abstract: "Search and follow the request log.",
        subcommands: [List.self, Show.self, Tail.self, RequestStatsCommand.self, Export.self])

    /// The properties of requests that a command selects.
    struct Filter: ParsableArguments {
        @Option(help: "Only requests of the key with this id.", transform: GivenText.nonEmpty)
        var keyId: String?

        @Option(
            help: "Only requests of keys of this owner; 'acme/**' for acme and all owners below it.",
            transform: GivenText.nonEmpty)
        var owner: String?

        @Option(
            help: "Only requests with this status, such as 429, or class, such as 5xx.",
            completion: .list(["2xx", "3xx", "4xx", "5xx"]), transform: GivenText.nonEmpty)
        var status: String?

        @Option(
            help: "Only requests with this outcome: allowed, denied, limited, failed or terminated.",
            completion: .list(RequestOutcome.allCases.map(\.name)), transform: GivenText.nonEmpty)
        var outcome: String?

        @Option(
            help: "Only requests with this code in the error, such as key_expired.", transform: GivenText.nonEmpty)
        var code: String?

        @Option(help: "Only requests with this method.", transform: GivenText.nonEmpty)
        var method: String?

        @Option(help: "Only requests whose path begins with this text.", transform: GivenText.nonEmpty)
        var path: String?

        @Option(
            help: "Only requests from this address, or from this network, such as 192.0.2.0/24.",
            transform: GivenText.nonEmpty)
        var address: String?

        @Option(help: "Only requests that took at least this number of milliseconds.", transform: GivenText.nonEmpty)
        var minMs: String?

        @Option(
            help:
                "Only requests through this entry point: gateway, forward-auth, verify, introspection, unkey or middleware.",
            completion: .list(RequestSurface.allCases.map(\.name)), transform: GivenText.nonEmpty)
        var surface: String?

        @Option(help: "Only requests that the instance of this name served.", transform: GivenText.nonEmpty)
        var instance: String?

        var query: [(String, String)] {
            [
                ("key_id", keyId), ("owner", owner), ("status", status), ("outcome", outcome), ("code", code),
                ("method", method), ("path", path), ("address", address), ("min_ms", minMs), ("surface", surface),
                ("instance", instance),
            ].compactMap { name, value in value.map { (name, $0) } }
        }
    }

    /// The bounds of time, and the identifier.
    struct Bounds: ParsableArguments {
        @Option(help: "Only the request with this id, as in X-Request-Id.", transform: GivenText.nonEmpty)
        var requestId: String?

        @Option(
            help: "Only requests at or after this time, such as 2030-01-31T12:00:00Z, or this long ago, such as 15m.",
            transform: GivenDuration.momentOrAge)
        var since: String?

        @Option(
            help: "Only requests before this time, or more than this long ago.", transform: GivenDuration.momentOrAge)
        var until: String?

        var query: [(String, String)] {
            [("request_id", requestId), ("since", since), ("until", until)]
                .compactMap { name, value in value.map { (name, $0) } }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List requests, newest first.")

        @Option(help: "The number of requests on a page, 1 to 1,000.")
        var limit = 100

        @Flag(help: "List all pages.")
        var all = false

        @OptionGroup var table: TableOptions

        @OptionGroup var filter: Filter

        @OptionGroup var bounds: Bounds

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let connection = try await client.connect()
                var answer = try await connection.requestList(
                    query: [("limit", String(limit))] + filter.query + bounds.query)
                var lines = try ControlClient.decode([RequestJSON].self, answer)
                // A search that takes long ends before its page is full.
                while let next = answer.next, all || lines.count < limit && answer.searchedTo != nil {
                    answer = try await connection.page(next)
                    lines += try ControlClient.decode([RequestJSON].self, answer)
                }
                if client.json {
                    try client.print(encoding: lines)
                } else {
                    try table.print(RequestTable.table(lines))
                }
                if answer.next != nil { Console.error(TableOptions.more) }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show everything about one request, and the commands for its key.")

        @Argument(help: "The id of the request, as in X-Request-Id.", transform: GivenText.nonEmpty)
        var id: String

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                let answer = try await client.connect().loggedRequest(id)
                if client.json { return try client.print(answer) }
                try Console.out(RequestTable.details(try ControlClient.decode(RequestJSON.self, answer)))
            }
        }
    }

    struct Tail: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print requests as they arrive, until interrupted.",
            discussion: """
                Requests are printed within seconds after their end, not in order. If the connection breaks, the command reconnects \
                and prints what it missed, up to 1,000 requests and 15 minutes. With --json, each line is one JSON object.
                """)

        @OptionGroup var filter: Filter

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                var follower = RequestFollower(client: client, query: filter.query)
                try await follower.run()
            }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Print all requests, newest first, as one JSON object per line. The audit trail records the export.")

        @OptionGroup var filter: Filter

        @OptionGroup var bounds: Bounds

        @OptionGroup var client: ClientOptions

        func run() async throws {
            try await Console.failing {
                try await client.connect().exportRequests(query: filter.query + bounds.query) {
                    try Console.write($0, to: STDOUT_FILENO, named: Console.standardOutput)
                }
            }
        }
    }
}
