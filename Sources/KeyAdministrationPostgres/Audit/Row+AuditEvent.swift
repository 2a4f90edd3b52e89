import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import LibPQ

extension AuditEvent {
    /// Reads `AuditSQL.columns`. Returns nil for a row without an event.
    init?(row: inout RowCursor, seal: Place? = nil) throws(PostgresError) {
        guard let id = try row.nextOptionalInt64() else { return nil }
        self.init(
            id: id, at: try row.nextMoment(), transaction: try row.nextXid8(), actor: try row.nextText(),
            actorName: try row.nextOptionalText(), address: try row.nextText(), requestID: try row.nextText(),
            action: try row.nextText(), subject: try row.nextOptionalUuid().map { KeyID($0) },
            owner: try row.nextOptionalText(), outcome: try row.nextText(), code: try row.nextOptionalText(),
            changes: try row.nextJsonb(), seal: seal)
    }
}

extension AuditEvent.Place {
    /// Reads a sequence number and a hash. Returns nil for a row without a seal.
    init?(row: inout RowCursor) throws(PostgresError) {
        guard let sequence = try row.nextOptionalInt64() else {
            try row.skip()
            return nil
        }
        guard let hash = SecretDigest(try row.nextBytes()) else { return nil }
        self.init(sequence: sequence, hash: hash)
    }
}

extension AuditSeal {
    /// Reads `AuditSQL.sealColumns`. Returns nil for a row without a seal.
    init?(row: inout RowCursor) throws(PostgresError) {
        guard let sequence = try row.nextOptionalInt64() else { return nil }
        let event = try row.nextInt64()
        guard let hash = SecretDigest(try row.nextBytes()) else { return nil }
        self.init(
            sequence: sequence, event: event, hash: hash, at: try row.nextMoment(), horizon: try row.nextXid8(),
            history: try row.nextText())
    }
}

extension SealingState {
    /// Reads a row of `AuditSQL.state`.
    init(row: inout RowCursor) throws(PostgresError) {
        let (history, transaction) = (try row.nextText(), try row.nextOptionalXid8())
        self.init(head: try AuditSeal(row: &row), headTransaction: transaction, history: history)
    }
}
