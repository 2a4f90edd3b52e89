import ControlBodies

/// The request log as text.
enum RequestTable {
    private static let columns = [
        TextTable.Column(title: "AT"), TextTable.Column(title: "STATUS"),
        TextTable.Column(title: "OUTCOME", dropRank: 2, cutWidth: 12), TextTable.Column(title: "METHOD", dropRank: 4),
        TextTable.Column(title: "PATH", cutWidth: 16), TextTable.Column(title: "MS", dropRank: 3),
        TextTable.Column(title: "KEY", dropRank: 1, cutWidth: 10), TextTable.Column(title: "ADDRESS", dropRank: 5),
        TextTable.Column(title: "REQUEST"),
    ]

    static func table(_ lines: [RequestJSON]) -> TextTable {
        TextTable(columns: columns, rows: lines.map(cells))
    }

    /// Returns a line of a tail, whose columns have fixed widths where that is possible.
    static func line(_ line: RequestJSON) -> String {
        let cells = cells(line)
        let widths = [20, 3, 24, 7]
        let start = zip(cells, widths).map { cell, width in
            cell + String(repeating: " ", count: max(0, width - DisplayWidth.of(cell)))
        }
        return (start + cells.dropFirst(widths.count)).joined(separator: "  ")
    }

    private static func cells(_ line: RequestJSON) -> [String] {
        [
            TextTable.moment(line.at), String(line.status), outcome(line), TextTable.printable(line.method),
            TextTable.printable(line.path), milliseconds(line.duration),
            TextTable.printable(line.keyName ?? line.keyID ?? "-"), line.clientIP ?? "-", line.requestID,
        ]
    }

    private static func outcome(_ line: RequestJSON) -> String {
        let outcome = line.outcome ?? "-"
        return line.code.map { "\(outcome): \(TextTable.printable($0))" } ?? outcome
    }

    /// Returns everything that is known about a request, and the commands for more.
    static func details(_ line: RequestJSON) -> [String] {
        let rows: [(String, String?)] = [
            ("request", line.requestID), ("at", line.at), ("method", line.method), ("path", line.path),
            ("query", line.query), ("status", String(line.status)), ("outcome", line.outcome), ("code", line.code),
            ("key", line.keyID), ("key name", line.keyName), ("owner", line.owner),
            ("address", line.clientIP), ("agent", line.userAgent),
            ("duration", milliseconds(line.duration) + " ms"),
            ("to the upstream's response", line.upstreamDuration.map { milliseconds($0) + " ms" }),
            ("upstream", line.upstream), ("bytes in", String(line.bytesIn)), ("bytes out", String(line.bytesOut)),
            ("entry point", line.surface), ("instance", line.instance),
            ("flags", line.flags.isEmpty ? nil : line.flags.joined(separator: ", ")),
            ("stands for", line.weight == 1 ? nil : "\(line.weight) requests, because the log was sampled"),
        ]
        var lines = TextTable.aligned(rows.compactMap { name, value in value.map { [name, TextTable.printable($0)] } })
        if let id = line.keyID {
            lines += [
                "", "The key:                     keyward keys show \(id)",
                "Other requests of the key:   keyward requests list --key-id \(id)",
                "Changes of the key:          keyward audit list --key-id \(id)",
            ]
        }
        return lines
    }

    /// Returns a duration with at most three digits after the point.
    private static func milliseconds(_ value: Double) -> String {
        let thousandths = Int64((value * 1_000).rounded())
        let fraction = String(thousandths % 1_000 + 1_000).dropFirst()
        let digits = fraction.reversed().drop { $0 == "0" }.reversed()
        return digits.isEmpty ? "\(thousandths / 1_000)" : "\(thousandths / 1_000).\(String(digits))"
    }
}
