import AuthKeys
import FoundationEssentials

/// The trail for people.
enum AuditTable {
    private static let header = ["AT", "ACTOR", "ADDRESS", "ACTION", "KEY", "OUTCOME", "CHANGES"]

    static func lines(_ events: [ControlClient.AuditEvent]) -> [String] {
        TextTable.columns(
            [header]
                + events.map { event in
                    [
                        event.at, TextTable.printable(event.actor.name ?? event.actor.kind), event.address,
                        event.action, event.keyID ?? "-", event.code.map { "refused: \($0)" } ?? event.outcome,
                        TextTable.printable(summary(event.changes)),
                    ]
                })
    }

    /// A verification, a line a finding.
    static func lines(_ result: ControlClient.Verification) -> [String] {
        var lines = result.findings.map { finding in
            let place = [
                finding.seq.map { "seal \($0)" }, finding.eventID.map { "event \($0)" },
            ].compactMap(\.self).joined(separator: ", ")
            return "\(finding.kind)  \(place): \(finding.message)"
        }
        let unsaid = result.findingCount - result.findings.count
        if unsaid > 0 { lines.append("and \(unsaid) more") }
        lines.append("\(result.sealed) events are sealed, \(result.pending) wait for it")
        if let head = result.head { lines.append("head \(head.seq):\(head.hash)") }
        lines.append(result.intact ? "the trail is as it was sealed" : "the trail was tampered with")
        return lines
    }

    /// `name: "a" -> "b"`, a member after the other.
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
