public import AuthKeys
import LibPQ
import Synchronization

extension PostgresAuthKeyStore {
    public func changes(
        since watermark: Watermark?, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        let isUnbounded = watermark == nil || lookTimedOut.load(ordering: .relaxed)
        return try await attempt {
            do {
                let batch = try await ChangeReader.read(
                    FeedSQL.changes(since: watermark), timeout: isUnbounded ? nil : self.lookTimeout,
                    from: self.feedPool, apply: apply)
                self.lookTimedOut.store(false, ordering: .relaxed)
                return batch
            } catch {
                if (error as? PostgresError)?.kind == .timeout { self.lookTimedOut.store(true, ordering: .relaxed) }
                throw error
            }
        }
    }

    public func entries(
        in range: DigestRange, since watermark: Watermark, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        try await attempt {
            try await ChangeReader.read(
                FeedSQL.entries(in: range, since: watermark), timeout: self.lookTimeout, from: self.pool, apply: apply)
        }
    }

    public func writeBack(_ ends: [DisputedEnd]) async throws(StoreError) {
        let keys = Set(ends.filter { $0.kind == .key }.map(\.keyID)).map { PostgresUUID($0) }
        let secrets = ends.compactMap { end in
            if case .secret(let moment) = end.kind { (end.digest, moment) } else { nil }
        }
        try await change {
            _ = try await self.pool.pipeline([
                PostgresStatement(EndSQL.deactivate, [.uuidArray(keys)]),
                PostgresStatement(
                    EndSQL.endSecrets,
                    [.bytesArray(secrets.map(\.0.bytes)), .timestampArray(secrets.map(\.1.microseconds))]),
            ])
        }
        notifier.changed()
    }

    public func order(_ order: FeedReading.Order, by call: AdminCall) async throws(StoreError) {
        var changes = AuditChanges()
        changes.set("accept_database", to: .bool(order == .acceptDatabase))
        let event = AuditSQL.append([NewAuditEvent(call, .instancesResync, changes: changes)])
        try await change {
            _ = try await self.pool.pipeline([
                PostgresStatement(FeedSQL.order, [.text(order == .acceptDatabase ? "accept" : "resync")]), event,
            ])
        }
        notifier.changed()
    }

    /// Inserts an epoch into the database, unless an instance inserted one within the last minute.
    public func mark() async throws(StoreError) {
        _ = try await attempt { try await self.pool.query(FeedSQL.mark) }
    }

    /// Updates the stamps of rows that carry a transaction id of another history (a restored dump). Call it at
    /// start-up. If this concerns all rows, it takes a minute or two for a million keys, so its timeout is long.
    public func adoptRestoredRows() async throws(StoreError) {
        _ = try await attempt { try await self.pool.query(KeySQL.restamp, timeout: .seconds(3_600)) }
    }
}
