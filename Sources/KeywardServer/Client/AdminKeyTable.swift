import ControlBodies

extension AdminKeyJSON {
    var status: String { deactivatedAt != nil ? "deactivated" : active ? "active" : "expired" }
}

/// Admin keys as text.
enum AdminKeyTable {
    private static let columns = [
        TextTable.Column(title: "ID"), TextTable.Column(title: "NAME", cutWidth: 12),
        TextTable.Column(title: "KEY", dropRank: 4), TextTable.Column(title: "STATUS", dropRank: 1),
        TextTable.Column(title: "PERMISSIONS", dropRank: 2, cutWidth: 16),
        TextTable.Column(title: "OWNER", dropRank: 3, cutWidth: 12), TextTable.Column(title: "EXPIRES", dropRank: 5),
        TextTable.Column(title: "LAST USED", dropRank: 6),
    ]

    static func table(_ keys: [AdminKeyJSON]) -> TextTable {
        TextTable(
            columns: columns,
            rows: keys.map { key in
                [
                    key.id, TextTable.printable(key.name), key.redactedValue, key.status,
                    key.permissions.joined(separator: " "), TextTable.printable(key.owner ?? "-"),
                    key.expiresAt.map(TextTable.moment) ?? "-", key.lastUsedAt.map(TextTable.moment) ?? "-",
                ]
            })
    }

    /// Returns one admin key as text, one line per field.
    static func details(_ key: AdminKeyJSON) -> [String] {
        var fields = [
            ("id", key.id), ("name", TextTable.printable(key.name)), ("key", key.redactedValue),
            ("status", key.status), ("permissions", key.permissions.joined(separator: " ")),
        ]
        if let owner = key.owner { fields.append(("owner", TextTable.printable(owner))) }
        let moments: [(String, String?)] = [
            ("expires", key.expiresAt), ("deactivated", key.deactivatedAt), ("last used", key.lastUsedAt),
            ("created", key.createdAt), ("updated", key.updatedAt),
        ]
        fields += moments.compactMap { name, moment in moment.map { (name, TextTable.moment($0)) } }
        return TextTable.aligned(fields.map { [$0.0, $0.1] })
    }
}
