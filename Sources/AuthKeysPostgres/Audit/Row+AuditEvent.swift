import AuthKeys
import LibPQ

extension AuditEvent {
    static let columnCount = 13

    /// Decodes `AuditSQL.columns`, which begin at `first`. Returns nil for a row without an event.
    init?(row: PostgresRow, from first: Int = 0, seal: Place? = nil) throws(PostgresError) {
        guard let id = try row.optionalInt64(first) else { return nil }
        self.init(
            id: id, at: Timestamp(microseconds: try row.timestampOrInfinity(first + 1)),
            transaction: try row.xid8(first + 2), actor: try row.text(first + 3),
            actorName: try row.optionalText(first + 4), address: try row.text(first + 5),
            requestID: try row.text(first + 6), action: try row.text(first + 7),
            subject: try row.optionalUuid(first + 8).map { KeyID($0) }, owner: try row.optionalText(first + 9),
            outcome: try row.text(first + 10), code: try row.optionalText(first + 11),
            changes: try row.jsonb(first + 12), seal: seal)
    }
}

extension AuditEvent.Place {
    /// Decodes a sequence number and a hash. Returns nil for a row without a seal.
    init?(row: PostgresRow, from first: Int) throws(PostgresError) {
        guard let sequence = try row.optionalInt64(first), let hash = SecretDigest(try row.bytes(first + 1)) else {
            return nil
        }
        self.init(sequence: sequence, hash: hash)
    }
}

extension AuditSeal {
    static let columnCount = 6

    /// Decodes `AuditSQL.sealColumns`, which begin at `first`. Returns nil for a row without a seal.
    init?(row: PostgresRow, from first: Int) throws(PostgresError) {
        guard let sequence = try row.optionalInt64(first), let hash = SecretDigest(try row.bytes(first + 2)) else {
            return nil
        }
        self.init(
            sequence: sequence, event: try row.int64(first + 1), hash: hash,
            at: Timestamp(microseconds: try row.timestampOrInfinity(first + 3)), horizon: try row.xid8(first + 4),
            history: try row.text(first + 5))
    }
}
