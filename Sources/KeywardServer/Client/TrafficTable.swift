import ControlBodies

/// Statistics about requests as text.
enum TrafficTable {
    private static let countColumns = [
        TextTable.Column(title: "REQUESTS"), TextTable.Column(title: "ALLOWED", dropRank: 3),
        TextTable.Column(title: "DENIED"), TextTable.Column(title: "LIMITED"), TextTable.Column(title: "FAILED"),
        TextTable.Column(title: "TERMINATED", dropRank: 4),
    ]
    private static let durationColumns = [
        TextTable.Column(title: "P50 MS", dropRank: 1), TextTable.Column(title: "P95 MS"),
        TextTable.Column(title: "P99 MS", dropRank: 2),
    ]

    /// Returns a table of points.
    /// - Parameter total: the last line; nil for none.
    static func table(_ points: [TrafficJSON.Point], total: TrafficJSON? = nil) -> TextTable {
        let lines = points.map { (TextTable.moment($0.at), $0.traffic) } + (total.map { [("total", $0)] } ?? [])
        return TextTable(
            columns: [TextTable.Column(title: "TIME")] + countColumns + durationColumns,
            rows: lines.map { [$0] + counts($1) + durations($1.durations) })
    }

    /// Returns a table of outcomes by entry point and code.
    static func table(_ parts: [StatisticsJSON.Part]) -> TextTable {
        let columns = ["SURFACE", "OUTCOME", "CODE", "REQUESTS"].map { TextTable.Column(title: $0) }
        return TextTable(
            columns: columns + durationColumns,
            rows: parts.map { part in
                [part.surface, part.outcome, TextTable.printable(part.code ?? "-"), String(part.requests)]
                    + durations(part.durations)
            })
    }

    /// Returns the requests of one time as one line.
    static func line(_ traffic: TrafficJSON) -> String {
        let outcomes = zip(
            ["allowed", "denied", "limited", "failed", "terminated"],
            [traffic.allowed, traffic.denied, traffic.limited, traffic.failed, traffic.terminated])
        let parts = outcomes.filter { $1 > 0 }.map { "\($1) \($0)" }
        let p95 = traffic.durations.p95.map { ", p95 \($0) ms" } ?? ""
        return "\(traffic.requests) requests" + (parts.isEmpty ? "" : ": \(parts.joined(separator: ", "))\(p95)")
    }

    private static func counts(_ traffic: TrafficJSON) -> [String] {
        [
            traffic.requests, traffic.allowed, traffic.denied, traffic.limited, traffic.failed, traffic.terminated,
        ].map { String($0) }
    }

    private static func durations(_ durations: TrafficJSON.Durations) -> [String] {
        [durations.p50, durations.p95, durations.p99].map { $0.map { "\($0)" } ?? "-" }
    }
}
