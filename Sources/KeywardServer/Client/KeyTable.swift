/// Keys as a table for people.
enum KeyTable {
    private static let header = ["ID", "NAME", "KEY", "STATUS", "OWNER", "EXPIRES", "CREATED"]

    static func lines(_ keys: [ControlClient.Key]) -> [String] {
        let rows = keys.map { key in
            [
                key.id, printable(key.name), key.redactedValue, key.status, printable(key.owner ?? "-"),
                key.expiresAt ?? "-",
                key.createdAt,
            ]
        }
        return columns([header] + rows)
    }

    /// One key, a line a field.
    static func details(_ key: ControlClient.Key) -> [String] {
        var fields = [
            ("id", key.id), ("name", printable(key.name)), ("key", key.redactedValue), ("status", key.status),
        ]
        if let description = key.description { fields.append(("description", printable(description))) }
        if let owner = key.owner { fields.append(("owner", printable(owner))) }
        if let scopes = key.scopes { fields.append(("scopes", scopes.joined(separator: " "))) }
        if let labels = key.labels {
            let text = labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            fields.append(("labels", printable(text)))
        }
        if let previous = key.previousSecret {
            fields.append(("old secret", "\(previous.redactedValue), good until \(previous.expiresAt)"))
        }
        if let expiresAt = key.expiresAt { fields.append(("expires", expiresAt)) }
        if let deactivatedAt = key.deactivatedAt { fields.append(("deactivated", deactivatedAt)) }
        fields += [("created", key.createdAt), ("updated", key.updatedAt)]
        return columns(fields.map { [$0.0, $0.1] })
    }

    private static func columns(_ rows: [[String]]) -> [String] {
        guard let first = rows.first else { return [] }
        let widths = first.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            let line = cells.joined(separator: "  ")
            return String(line.prefix(line.count - line.reversed().prefix { $0 == " " }.count))
        }
    }

    /// Text of somebody's, without what could steer a terminal.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }
}
