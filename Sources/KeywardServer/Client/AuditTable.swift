import AuthKeys
import ControlBodies
import FoundationEssentials

/// The audit trail as text.
enum AuditTable {
    private static let columns = [
        TextTable.Column(title: "AT"), TextTable.Column(title: "ACTOR", dropRank: 2, cutWidth: 10),
        TextTable.Column(title: "ADDRESS", dropRank: 4), TextTable.Column(title: "ACTION", cutWidth: 16),
        TextTable.Column(title: "KEY", dropRank: 3), TextTable.Column(title: "OUTCOME", dropRank: 1, cutWidth: 12),
        TextTable.Column(title: "CHANGES", dropRank: 5, cutWidth: 16),
    ]

    static func table(_ events: [AuditEventJSON]) -> TextTable {
        TextTable(
            columns: columns,
            rows: events.map { event in
                [
                    TextTable.moment(event.at), TextTable.printable(event.actor.name ?? event.actor.kind),
                    event.address, event.action, event.keyID ?? "-",
                    event.code.map { "refused: \($0)" } ?? event.outcome, TextTable.printable(summary(event.changes)),
                ]
            })
    }

    /// Returns the result of a verification as text, one line per finding.
    static func lines(_ result: VerificationJSON) -> [String] {
        var lines = result.findings.map { finding in
            let position = [
                finding.seq.map { "seal \($0)" }, finding.eventID.map { "event \($0)" },
            ].compactMap(\.self).joined(separator: ", ")
            return "\(finding.kind)  \(position): \(finding.message)"
        }
        let omitted = result.findingCount - result.findings.count
        if omitted > 0 { lines.append("and \(omitted) more") }
        lines.append("\(result.sealed) events are sealed, \(result.pending) are not sealed yet")
        if let head = result.head { lines.append("head \(head.seq):\(head.hash)") }
        lines.append(result.intact ? "the trail is intact" : "the trail was tampered with")
        return lines
    }

    /// Returns the changed members as `name: "a" -> "b"`, separated by commas.
    private static func summary(_ changes: JSONValue) -> String {
        guard case .object(let members) = changes else { return "" }
        return members.sorted { $0.key < $1.key }.map { name, change in
            guard case .object(let sides) = change else { return name }
            return "\(name): \(text(sides["from"])) -> \(text(sides["to"]))"
        }.joined(separator: ", ")
    }

    private static func text(_ value: JSONValue?) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let value, value != .null, let data = try? encoder.encode(value) else { return "-" }
        return String(decoding: data, as: UTF8.self)
    }
}
