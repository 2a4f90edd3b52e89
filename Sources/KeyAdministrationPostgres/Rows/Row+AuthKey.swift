import AuthKeys
import AuthKeysPostgres
import LibPQ

extension AuthKey {
    /// Reads `KeySQL.keyColumns`.
    init(row: inout RowCursor) throws(PostgresError) {
        let id = try row.nextID()
        var attributes = try KeyAttributes(row: &row)
        if let credits = try KeyCredits(row: &row), attributes.credits != nil { attributes.credits = credits }
        self.init(
            id: id, attributes: attributes,
            prefix: try row.nextOptionalText() ?? "", lastFour: try row.nextOptionalText() ?? "",
            previous: try PreviousSecret(row: &row), secretLastUsedAt: try row.nextOptionalMoment(),
            usage: try KeyUsage(row: &row), deactivatedAt: try row.nextOptionalMoment(),
            createdAt: try row.nextMoment(), updatedAt: try row.nextMoment(), version: try row.nextInt64())
    }
}

extension AuthKey.PreviousSecret {
    /// Reads `expires_at`, `prefix`, `last_four` and `last_used_at`. Returns nil if all are NULL.
    fileprivate init?(row: inout RowCursor) throws(PostgresError) {
        guard let expiresAt = try row.nextOptionalMoment() else {
            try row.skip(3)
            return nil
        }
        self.init(
            prefix: try row.nextText(), lastFour: try row.nextText(), expiresAt: expiresAt,
            lastUsedAt: try row.nextOptionalMoment())
    }
}

extension KeyUsage {
    /// Reads `last_used_at`, `last_address`, `last_agent` and `requests`.
    init(row: inout RowCursor) throws(PostgresError) {
        self.init(
            lastUsedAt: try row.nextOptionalMoment(), lastAddress: try row.nextOptionalText(),
            lastAgent: try row.nextOptionalText(), requests: try row.nextOptionalInt64() ?? 0)
    }
}
