/// Keys as a table for people.
enum KeyTable {
    private static let header = ["ID", "NAME", "KEY", "STATUS", "OWNER", "EXPIRES", "CREATED"]

    static func lines(_ keys: [ControlClient.Key]) -> [String] {
        let rows = keys.map { key in
            [
                key.id, TextTable.printable(key.name), key.redactedValue, key.status,
                TextTable.printable(key.owner ?? "-"),
                key.expiresAt ?? "-",
                key.createdAt,
            ]
        }
        return TextTable.columns([header] + rows)
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
}
