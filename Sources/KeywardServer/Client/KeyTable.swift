/// Keys as a table for people.
enum KeyTable {
    private static let header = ["ID", "NAME", "KEY", "STATUS", "OWNER", "EXPIRES", "LAST USED", "CREATED"]

    static func lines(_ keys: [ControlClient.Key]) -> [String] {
        let rows = keys.map { key in
            [
                key.id, TextTable.printable(key.name), key.redactedValue, key.status,
                TextTable.printable(key.owner ?? "-"), key.expiresAt ?? "-", key.lastUsedAt ?? "-", key.createdAt,
            ]
        }
        return TextTable.columns([header] + rows)
    }

    /// The line below a table: how many keys it has, of how many.
    static func foot(of shown: Int, _ total: ControlClient.Total, hasMore: Bool) -> String {
        let keys = "\(total.isExact ? "" : "about ")\(total.count) \(total.count == 1 ? "key" : "keys")"
        guard shown != total.count else { return keys }
        return "\(shown) of \(keys)" + (hasMore ? "; --all lists them" : "")
    }

    /// One key, a line a field.
    static func details(_ key: ControlClient.Key) -> [String] {
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
            fields.append(("old secret", "\(previous.redactedValue), good until \(previous.expiresAt)"))
        }
        if let notBefore = key.notBefore { fields.append(("not before", notBefore)) }
        let lists = [
            ("methods", key.allowedMethods), ("paths", key.allowedPaths), ("networks", key.allowedCIDRs),
            ("report only", key.reportOnly),
        ]
        for (name, list) in lists {
            if let list { fields.append((name, TextTable.printable(list.joined(separator: " ")))) }
        }
        if let expiresAt = key.expiresAt { fields.append(("expires", expiresAt)) }
        if let use = use(of: key) { fields += [("last used", use), ("requests", String(key.requests ?? 0))] }
        if let deactivatedAt = key.deactivatedAt { fields.append(("deactivated", deactivatedAt)) }
        fields += [("created", key.createdAt), ("updated", key.updatedAt)]
        return TextTable.columns(fields.map { [$0.0, $0.1] })
    }

    /// A decision, a line for each thing that was looked at.
    static func lines(_ explanation: ControlClient.Explanation) -> [String] {
        let steps = explanation.decision.map { [$0.rule, $0.outcome, $0.message ?? ""] }
        return TextTable.columns(steps)
            + [explanation.allowed ? "allowed" : "refused: \(explanation.status) \(explanation.code ?? "")"]
    }

    /// When and from where a key was last used; nil for never.
    static func use(of key: ControlClient.Key) -> String? {
        key.lastUsedAt.map { moment in
            moment + (key.lastAddress.map { " from \(TextTable.printable($0))" } ?? "")
                + (key.lastAgent.map { " by \(TextTable.printable($0))" } ?? "")
        }
    }

    /// A key's use, a line a secret and a line a day.
    static func lines(_ usage: ControlClient.Usage) -> [String] {
        if usage.requests == 0 { return ["not used yet"] }
        let secrets = usage.secrets.map { [$0.redactedValue, $0.lastUsedAt ?? "-", String($0.requests)] }
        return TextTable.columns([["SECRET", "LAST USED", "REQUESTS"]] + secrets)
            + (usage.days.isEmpty
                ? ["not used in these days"]
                : TextTable.columns([["DAY", "REQUESTS"]] + usage.days.map { [$0.day, String($0.requests)] }))
    }
}
