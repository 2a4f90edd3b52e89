import ArgumentParser
import ControlBodies

/// `keyward requests stats`.
struct RequestStatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Show the number of requests by time and outcome, with their durations.",
        discussion: """
            Without a filter, all requests are counted, and the most frequent outcomes follow by entry point and code. New \
            requests are included within about a minute, with a filter within about five minutes.
            """)

    @Option(
        help: """
            The length of a line: minute, hour or day. With a filter: hour or day, and with --key minute, too. Default: hour.
            """,
        completion: .list(["minute", "hour", "day"]), transform: GivenText.nonEmpty)
    var step: String?

    @Option(
        help: "The beginning: a time, or a duration before now such as 7d. Default: 1h, 24h or 30d, by step.",
        transform: GivenText.nonEmpty)
    var since: String?

    @Option(help: "The end: a time, or a duration before now. Default: now.", transform: GivenText.nonEmpty)
    var until: String?

    @Option(help: "Only requests with the key of this id.", transform: GivenText.nonEmpty)
    var key: String?

    @Option(
        help: "Only requests with keys of this owner; 'acme/**' for acme and all owners below it.",
        transform: GivenText.nonEmpty)
    var owner: String?

    @Option(help: "Only requests with keys that have this label: NAME or NAME=VALUE.", transform: GivenText.nonEmpty)
    var label: String?

    @OptionGroup var table: TableOptions

    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await Console.failing {
            let query = [
                ("step", step), ("since", since), ("until", until), ("key_id", key), ("owner", owner), ("label", label),
            ].compactMap { name, value in value.map { (name, $0) } }
            let answer = try await client.connect().requestStatistics(query: query)
            let statistics = try ControlClient.decode(StatisticsJSON.self, answer)
            if client.json { return try client.print(answer) }
            try table.print(TrafficTable.table(statistics.series, total: statistics.total))
            guard let parts = statistics.breakdown, !parts.isEmpty else { return }
            try Console.out("")
            try table.print(TrafficTable.table(parts))
        }
    }
}
