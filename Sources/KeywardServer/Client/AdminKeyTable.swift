/// Admin keys for people.
enum AdminKeyTable {
    private static let header = ["ID", "NAME", "KEY", "STATUS", "PERMISSIONS", "OWNER", "EXPIRES", "LAST USED"]

    static func lines(_ keys: [ControlClient.AdminKey]) -> [String] {
        TextTable.columns(
            [header]
                + keys.map { key in
                    [
                        key.id, TextTable.printable(key.name), key.redactedValue, key.status,
                        key.permissions.joined(separator: " "), TextTable.printable(key.owner ?? "-"),
                        key.expiresAt ?? "-", key.lastUsedAt ?? "-",
                    ]
                })
    }

    /// One admin key, a line a field.
    static func details(_ key: ControlClient.AdminKey) -> [String] {
        var fields = [
            ("id", key.id), ("name", TextTable.printable(key.name)), ("key", key.redactedValue),
            ("status", key.status), ("permissions", key.permissions.joined(separator: " ")),
        ]
        if let owner = key.owner { fields.append(("owner", TextTable.printable(owner))) }
        if let expiresAt = key.expiresAt { fields.append(("expires", expiresAt)) }
        if let deactivatedAt = key.deactivatedAt { fields.append(("deactivated", deactivatedAt)) }
        if let lastUsedAt = key.lastUsedAt { fields.append(("last used", lastUsedAt)) }
        fields += [("created", key.createdAt), ("updated", key.updatedAt)]
        return TextTable.columns(fields.map { [$0.0, $0.1] })
    }
}
