public import AuthKeys
public import KeyAdministration
import LibPQ

extension PostgresAuthKeyStore: AuditTrail {
    public func record(_ events: [NewAuditEvent]) async throws(StoreError) {
        guard !events.isEmpty else { return }
        // Run as a change: the caller decides if events of unknown outcome may be written again.
        _ = try await change {
            let statement = AuditSQL.append(events)
            return try await self.pool.query(statement.sql, statement.parameters)
        }
    }

    public func events(_ query: AuditQuery) async throws(StoreError) -> [AuditEvent] {
        try await attempt {
            var query = query
            query.owner = try await self.narrowed(query.owner, in: "audit_events")
            let (sql, parameters) = AuditSQL.events(query)
            return try await self.pool.query(sql, parameters).rows.compactMap { row in
                var row = RowCursor(row)
                let seal = try AuditEvent.Place(row: &row)
                return try AuditEvent(row: &row, seal: seal)
            }
        }
    }

    public func seal() async throws(StoreError) -> Int {
        try await attempt {
            try await self.pool.transaction { transaction in
                let answers = try await transaction.pipeline([
                    PostgresStatement(AuditSQL.lock, [.int64(AuditSQL.lockKey)]), PostgresStatement(AuditSQL.state),
                ])
                guard answers.count == 2, try answers[0].rows.first?.bool(0) == true,
                    let state = try answers[1].rows.first?.read(SealingState.init(row:))
                else { return 0 }
                return try await Self.seal(behind: state, in: transaction)
            }
        }
    }

    private static func seal(behind state: SealingState, in transaction: PostgresTransaction) async throws -> Int {
        let limit = SealingState.batch
        let position = state.position
        let rows =
            state.looksAtAll
            ? try await transaction.query(AuditSQL.unsealedAtAll, [.int64(Int64(limit + 1))]).rows
            : try await transaction.query(
                AuditSQL.sealable,
                [.xid8(position.transaction), .int64(position.event), .int64(Int64(limit + 1))]
            ).rows
        guard let first = rows.first else {
            if state.looksAtAll, let head = state.head, head.history != state.history {
                try await begin(history: state.history, after: head.history, in: transaction)
            }
            return 0
        }
        let events = try rows.prefix(limit).compactMap { row -> AuditEvent? in
            var row = RowCursor(row)
            try row.skip(2)
            return try row.nextBool() ? try AuditEvent(row: &row) : nil
        }
        let seals = state.seals(
            for: events, horizon: try first.xid8(0), isCut: rows.count > limit,
            now: Timestamp(microseconds: try first.timestamp(1)))
        if seals.isEmpty { return 0 }
        let statement = AuditSQL.keep(seals)
        _ = try await transaction.query(statement.sql, statement.parameters)
        return seals.count
    }

    /// Records in the trail that it continues in another cluster, so that there is an event to seal in that cluster.
    private static func begin(
        history: String, after earlier: String, in transaction: PostgresTransaction
    ) async throws {
        var changes = AuditChanges()
        changes.set("history", from: .string(earlier), to: .string(history))
        let statement = AuditSQL.append([
            NewAuditEvent(
                actor: .system, origin: CallOrigin(address: "", requestID: ""), action: .auditRestored,
                changes: changes)
        ])
        _ = try await transaction.query(statement.sql, statement.parameters)
    }

    public func sealed(after sequence: Int64, limit: Int) async throws(StoreError) -> [SealedEvent] {
        try await attempt {
            try await self.pool.query(AuditSQL.sealed, [.int64(sequence), .int64(Int64(limit))]).rows.compactMap {
                row in
                var row = RowCursor(row)
                guard let seal = try AuditSeal(row: &row) else { return nil }
                return SealedEvent(seal: seal, event: try AuditEvent(row: &row))
            }
        }
    }

    public func auditStatus() async throws(StoreError) -> AuditStatus {
        try await attempt {
            guard let row = try await self.pool.query(AuditSQL.status).rows.first else {
                throw StoreError(.failed, detail: "the database returned no audit status")
            }
            return AuditStatus(
                horizon: try row.xid8(0), history: try row.text(1), now: Timestamp(microseconds: try row.timestamp(2)))
        }
    }

    public func unsealed(after id: Int64, limit: Int) async throws(StoreError) -> UnsealedPage {
        try await attempt {
            let rows = try await self.pool.query(AuditSQL.sealStates, [.int64(id), .int64(Int64(limit))]).rows.map {
                row in
                var row = RowCursor(row)
                return (next: try row.nextXid8(), isSealed: try row.nextBool(), event: try AuditEvent(row: &row))
            }
            return UnsealedPage(
                events: rows.compactMap { $0.isSealed ? nil : $0.event },
                last: rows.count < limit ? nil : rows.last?.event?.id, next: rows.first?.next ?? .max)
        }
    }
}
