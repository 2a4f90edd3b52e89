public import AuthKeys
public import AuthKeysPostgres
public import KeyAdministration
import LibPQ

/// A key store in PostgreSQL. Its statements are in `KeySQL`, `ListSQL`, `AuditSQL` and `AdminKeySQL`, and those of its
/// feed. The columns that they share are in `EntryRow` and `AttributeColumn`.
public final class PostgresAuthKeyStore: Store {
    /// The maximum number of creations in one statement, and of such statements in progress.
    private static let createBatch = 200
    private static let createConcurrency = 1

    /// The reads and writes that verification alone needs too.
    public let feed: PostgresKeyFeed
    private let creations: GroupCommit<Creation, AuthKey>

    /// Creates a store. The caller runs the feed's pools.
    public init(feed: PostgresKeyFeed) {
        self.feed = feed
        creations = GroupCommit(limit: Self.createBatch, concurrency: Self.createConcurrency) {
            [pool = feed.pool] creations in
            await Self.create(creations, on: pool)
        }
    }

    var pool: PostgresPool { feed.pool }
    private var notifier: ChangeNotifier { feed.notifier }

    /// Hints to all instances that something changed.
    func notifyChange() { notifier.changed() }

    func attempt<R: Sendable>(_ body: @Sendable () async throws -> R) async throws(StoreError) -> R {
        try await feed.calls.attempt(body)
    }

    func change<R: Sendable>(_ body: @Sendable () async throws -> R) async throws(StoreError) -> R {
        try await feed.calls.change(body)
    }

    public func key(_ id: KeyID) async throws(StoreError) -> AuthKey? {
        try await attempt {
            try await self.pool.query(KeySQL.key, [.uuid(PostgresUUID(id))]).rows.first?.read(AuthKey.init(row:))
        }
    }

    public func create(
        _ key: NewKey, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> CreateOutcome {
        let creation = Creation(key: key, call: call)
        let outcome = try await change {
            guard let claim else { return CreateOutcome.created(try await self.creations.submit(creation)) }
            return try await Self.create(creation, claim: claim, on: self.pool)
        }
        if case .created = outcome { notifier.changed() }
        return outcome
    }

    public func update(
        _ id: KeyID, version: Int64?, by call: AdminCall,
        _ change: @escaping @Sendable (KeyAttributes) throws(AuthKeyError) -> KeyAttributes
    ) async throws(StoreError) -> UpdateOutcome {
        let outcome = try await self.change {
            try await Self.update(id, version: version, by: call, on: self.pool, change)
        }
        if case .updated = outcome { notifier.changed() }
        return outcome
    }

    public func delete(
        _ id: KeyID, version: Int64?, by call: AdminCall
    ) async throws(StoreError) -> DeleteOutcome {
        let outcome = try await change { try await Self.delete(id, version: version, by: call, on: self.pool) }
        if case .deleted = outcome { notifier.changed() }
        return outcome
    }

    public func rotate(
        _ id: KeyID, version: Int64?, _ rotation: Rotation, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> RotateOutcome {
        let outcome = try await change {
            try await Self.rotate(id, version: version, rotation, claim: claim, by: call, on: self.pool)
        }
        if case .rotated = outcome { notifier.changed() }
        return outcome
    }

    public func rotate(
        _ id: KeyID, byHolder rotation: HolderRotation, _ call: AdminCall
    ) async throws(StoreError) -> HolderRotateOutcome {
        let outcome = try await change {
            try await Self.rotate(id, byHolder: rotation, call, on: self.pool)
        }
        if case .rotated = outcome { notifier.changed() }
        return outcome
    }

    public func endPreviousSecrets(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]? {
        let entries = try await change { try await Self.endPreviousSecrets(id, by: call, on: self.pool) }
        if entries != nil { notifier.changed() }
        return entries
    }

    public func deactivate(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]? {
        let changed = try await change {
            try await self.entries(KeySQL.deactivate, [.uuid(PostgresUUID(id))] + AuditSQL.parameters(of: call))
        }
        if !changed.isEmpty {
            notifier.changed()
            return changed.compactMap(\.self)
        }
        return try await knownEntries(id, for: call.admin)
    }

    private func knownEntries(_ id: KeyID, for admin: Admin) async throws(StoreError) -> [KeyEntry]? {
        let known = try await attempt {
            try await self.entries(
                KeySQL.entriesOfOwnersKey, [.uuid(PostgresUUID(id)), .optional(admin.owner)])
        }
        return known.isEmpty ? nil : known.compactMap(\.self)
    }

    /// Returns one row for the key, or one for each of its secrets; no row if the key does not exist.
    private func entries(
        _ sql: String, _ parameters: [PostgresParameter]
    ) async throws(PostgresError) -> [KeyEntry?] {
        try await pool.query(sql, parameters).rows.map { row throws(PostgresError) in
            try row.read(KeyEntry.init(row:))
        }
    }

    public func usage(_ id: KeyID, days: Int) async throws(StoreError) -> KeyUsageReport? {
        try await attempt { try await Self.usage(id, days: days, on: self.pool) }
    }

    /// Deletes obsolete data: daily usage that is more than a year old.
    public func prune() async throws(StoreError) {
        _ = try await attempt { try await self.pool.query(KeySQL.forgetDays) }
    }

    public func stageImport<R: Sendable>(
        _ body: @Sendable (any ImportStage) async throws -> R
    ) async throws -> R {
        do {
            let result = try await pool.transaction { transaction in
                try await body(try await PostgresImportStage.create(in: transaction))
            }
            notifier.changed()
            return result
        } catch let error as PostgresError {
            feed.calls.note(error)
            // The lines cannot be read a second time, so nothing is repeated here.
            throw StoreError(error, isChange: true)
        }
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
}
