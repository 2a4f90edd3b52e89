import AuthKeys
import ControlBodies
import KeyAdministration

extension KeyJSON {
    /// True if the key was used in the last seven days.
    var wasUsedLately: Bool {
        let moment = lastUsedAt.flatMap { try? Timestamp(rfc3339: $0) }
        return moment?.isRecentUse(at: .now) ?? false
    }

    var status: String {
        if deactivatedAt != nil { return "deactivated" }
        if active { return "active" }
        return enabled ? "expired" : "disabled"
    }
}

/// Keys as text.
enum KeyTable {
    /// Returns a table of keys.
    /// - Parameter order: the order of the list. The column that it sorts by is omitted last.
    static func table(_ keys: [KeyJSON], order: String?) -> TextTable {
        var columns = [
            TextTable.Column(title: "ID"), TextTable.Column(title: "NAME", cutWidth: 12),
            TextTable.Column(title: "KEY", dropRank: 2), TextTable.Column(title: "STATUS", dropRank: 1),
            TextTable.Column(title: "OWNER", dropRank: 5, cutWidth: 12),
            TextTable.Column(title: "EXPIRES", dropRank: 4), TextTable.Column(title: "LAST USED", dropRank: 3),
            TextTable.Column(title: "CREATED", dropRank: 6),
        ]
        let title: String? =
            switch order.flatMap({ KeyOrder($0) })?.field {
            case .expires: "EXPIRES"
            case .lastUsed: "LAST USED"
            default: nil
            }
        for index in columns.indices where columns[index].title == title { columns[index].dropRank = 0 }
        return TextTable(
            columns: columns,
            rows: keys.map { key in
                [
                    key.id, TextTable.printable(key.name), key.redactedValue, key.status,
                    TextTable.printable(key.owner ?? "-"), moment(key.expiresAt), moment(key.lastUsedAt),
                    moment(key.createdAt),
                ]
            })
    }

    private static func moment(_ text: String?) -> String { text.map(TextTable.moment) ?? "-" }

    /// Returns the line below a table, with the number of keys in the table and in total.
    static func foot(of shown: Int, _ total: ControlClient.Total, hasMore: Bool) -> String {
        let keys = "\(total.isExact ? "" : "about ")\(total.count) \(total.count == 1 ? "key" : "keys")"
        guard shown != total.count else { return keys }
        return "\(shown) of \(keys)" + (hasMore ? "; --all lists them" : "")
    }

    /// Returns one key as text, one line per field.
    /// - Parameters:
    ///   - hours: the key's latest hours with requests; nil if they are not known.
    ///   - now: the current time, which tells the current hour from the last one.
    static func details(_ key: KeyJSON, hours: [TrafficJSON.Point]? = nil, at now: Timestamp = .now) -> [String] {
        var fields = [
            ("id", key.id), ("name", TextTable.printable(key.name)), ("key", key.redactedValue), ("status", key.status),
        ]
        if let description = key.description { fields.append(("description", TextTable.printable(description))) }
        if let owner = key.owner { fields.append(("owner", TextTable.printable(owner))) }
        if let scopes = key.scopes { fields.append(("scopes", scopes.joined(separator: " "))) }
        if let labels = key.labels {
            let text = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            fields.append(("labels", TextTable.printable(text)))
        }
        if let previous = key.previousSecret {
            fields.append(("old secret", "\(previous.redactedValue), valid until \(moment(previous.expiresAt))"))
        }
        if let notBefore = key.notBefore { fields.append(("not before", moment(notBefore))) }
        let lists = [
            ("methods", key.allowedMethods), ("paths", key.allowedPaths), ("networks", key.allowedCIDRs),
            ("report only", key.reportOnly),
        ]
        for (name, list) in lists {
            if let list { fields.append((name, TextTable.printable(list.joined(separator: " ")))) }
        }
        if key.selfRotation == true { fields.append(("rotation", "by an admin or by the holder")) }
        if let plan = key.plan { fields.append(("plan", TextTable.printable(plan))) }
        for limit in key.limits ?? [] { fields.append(("limit", TextTable.printable(LimitLine.text(limit)))) }
        if let credits = key.credits {
            fields.append(("credits", TextTable.printable(LimitLine.text(ofCredits: credits))))
        }
        if let expiresAt = key.expiresAt { fields.append(("expires", moment(expiresAt))) }
        if let use = use(of: key) { fields += [("last used", use), ("requests", String(key.requests ?? 0))] }
        if let hours {
            let current = now.microseconds / 3_600_000_000 * 3_600_000_000
            for (name, start) in [("this hour", current), ("last hour", current - 3_600_000_000)] {
                let hour = hours.first { (try? Timestamp(rfc3339: $0.at))?.microseconds == start }
                fields.append((name, TrafficTable.line(hour?.traffic ?? TrafficJSON())))
            }
        }
        if let deactivatedAt = key.deactivatedAt { fields.append(("deactivated", moment(deactivatedAt))) }
        fields += [("created", moment(key.createdAt)), ("updated", moment(key.updatedAt))]
        return TextTable.aligned(fields.map { [$0.0, $0.1] })
    }

    /// Returns what is left of the limit of a step; empty for other rules.
    private static func left(_ step: ExplanationJSON.Step) -> String {
        guard let remaining = step.remaining else { return "" }
        return step.limit.map { "\(remaining) of \($0) left" } ?? "\(remaining) left"
    }

    /// Returns the explanation of a decision as text, one line per rule.
    static func lines(_ explanation: ExplanationJSON) -> [String] {
        let steps = explanation.decision.map { [$0.rule, $0.outcome, $0.message ?? left($0)] }
        return TextTable.aligned(steps)
            + [explanation.allowed ? "allowed" : "refused: \(explanation.status) \(explanation.code ?? "")"]
    }

    /// Returns the time, address and user agent of a key's last use; nil if the key was never used.
    static func use(of key: KeyJSON) -> String? {
        key.lastUsedAt.map {
            moment($0) + (key.lastAddress.map { " from \(TextTable.printable($0))" } ?? "")
                + (key.lastAgent.map { " by \(TextTable.printable($0))" } ?? "")
        }
    }

    /// Returns the use of a key as text, one line per secret and one per day.
    static func lines(_ usage: UsageJSON) -> [String] {
        let hours = usage.hours ?? []
        if usage.requests == 0, hours.isEmpty, usage.traffic?.requests ?? 0 == 0 { return ["not used yet"] }
        let secrets = usage.secrets.map { [$0.redactedValue, moment($0.lastUsedAt), String($0.requests)] }
        return TextTable.aligned([["SECRET", "LAST USED", "REQUESTS"]] + secrets)
            + (usage.days.isEmpty
                ? ["not used in this period"]
                : TextTable.aligned([["DAY", "REQUESTS"]] + usage.days.map { [$0.day, String($0.requests)] }))
            + (hours.isEmpty ? [] : TrafficTable.table(hours, total: nil).lines(width: nil).lines)
            + (usage.traffic.map { $0.requests > 0 ? ["in this period: \(TrafficTable.line($0))"] : [] } ?? [])
    }

    /// Returns the result of a key's verification as text, one line per field.
    static func lines(_ verdict: VerdictJSON) -> [String] {
        let fields: [(String, String?)] =
            [
                ("code", verdict.code), ("message", verdict.message), ("id", verdict.keyID), ("name", verdict.name),
                ("owner", verdict.owner), ("scopes", verdict.scopes?.joined(separator: " ")),
                ("expires", verdict.expiresAt.map(TextTable.moment)),
                ("credits", verdict.credits?.remaining.map { "\($0)" }),
            ] + (verdict.limits ?? []).map { ("limits.\($0.name)", "\($0.remaining) of \($0.limit) left") }
        return TextTable.aligned(
            fields.compactMap { name, value in value.map { [name, TextTable.printable($0)] } })
    }
}
