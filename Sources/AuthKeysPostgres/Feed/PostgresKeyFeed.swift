public import AuthKeys
public import LibPQ
public import Logging
import Synchronization

/// The keys in PostgreSQL, as instances that verify them read them and record their use. Its statements are in
/// `FeedSQL`, `UsageSQL` and `EndSQL`.
public final class PostgresKeyFeed: KeyFeed, UsageStore {
    package let pool: PostgresPool
    private let feedPool: PostgresPool
    private let readTimeout: Duration
    /// True if the last read of the changes timed out; the next one then has no timeout for the whole.
    private let readTimedOut = Atomic<Bool>(false)
    package let notifier: ChangeNotifier
    package let calls: DatabaseCalls

    /// Creates a feed. The caller runs the pools.
    /// - Parameters:
    ///   - feedPool: connections for reads of the changes and for lookups of unknown keys, so that no slow list delays
    ///     a revocation. Nil means `pool`.
    ///   - readTimeout: the timeout of a read of the changes, unless the previous one timed out.
    public init(
        pool: PostgresPool, feedPool: PostgresPool? = nil, readTimeout: Duration = .seconds(5), logger: Logger
    ) {
        self.pool = pool
        self.feedPool = feedPool ?? pool
        self.readTimeout = readTimeout
        notifier = ChangeNotifier(pool: pool, logger: logger)
        calls = DatabaseCalls(writeMonitor: WriteMonitor(availability: WriteAvailability(), logger: logger))
    }

    public func changes(
        since watermark: Watermark?, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        let isUnbounded = watermark == nil || readTimedOut.load(ordering: .relaxed)
        return try await calls.attempt {
            do {
                let batch = try await ChangeReader.read(
                    FeedSQL.changes(since: watermark), timeout: isUnbounded ? nil : self.readTimeout,
                    from: self.feedPool, apply: apply)
                self.readTimedOut.store(false, ordering: .relaxed)
                return batch
            } catch {
                if (error as? PostgresError)?.kind == .timeout { self.readTimedOut.store(true, ordering: .relaxed) }
                throw error
            }
        }
    }

    public func entries(
        in range: DigestRange, since watermark: Watermark, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        try await calls.attempt {
            try await ChangeReader.read(
                FeedSQL.entries(in: range, since: watermark), timeout: self.readTimeout, from: self.pool, apply: apply)
        }
    }

    public func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry] {
        try await calls.attempt {
            let rows = try await self.feedPool.query(FeedSQL.find, [.bytesArray(digests.map(\.bytes))]).rows
            return try rows.compactMap { try $0.read(KeyEntry.init(row:)) }
        }
    }

    public func schemes() async throws(StoreError) -> [TokenScheme] {
        try await calls.attempt {
            try await self.feedPool.query(FeedSQL.schemes, [], timeout: self.readTimeout).rows.compactMap { row in
                guard let algorithm = TokenScheme.Algorithm(rawValue: try row.text(1)),
                    let part = TokenScheme.Part(rawValue: try row.text(2))
                else { return nil }
                return TokenScheme(prefix: try row.text(0), algorithm: algorithm, part: part)
            }
        }
    }

    public func writeBack(_ ends: [DisputedEnd]) async throws(StoreError) {
        let keys = Set(ends.filter { $0.kind == .key }.map(\.keyID)).map { PostgresUUID($0) }
        let secrets = ends.compactMap { end in
            if case .secret(let moment) = end.kind { (end.digest, moment) } else { nil }
        }
        try await calls.change {
            _ = try await self.pool.pipeline([
                PostgresStatement(EndSQL.deactivate, [.uuidArray(keys)]),
                PostgresStatement(
                    EndSQL.endSecrets,
                    [.bytesArray(secrets.map(\.0.bytes)), .timestampArray(secrets.map(\.1.microseconds))]),
            ])
        }
        notifier.changed()
    }

    public func record(_ usage: [UsageCount]) async throws(StoreError) {
        try await calls.attempt { try await Self.record(usage, on: self.pool) }
    }

    /// Inserts an epoch into the database, unless an instance inserted one within the last minute.
    public func mark() async throws(StoreError) {
        _ = try await calls.attempt { try await self.pool.query(FeedSQL.mark) }
    }

    /// Updates the stamps of rows that carry a transaction id of another history (a restored dump). Call it at
    /// start-up. If this concerns all rows, it takes a minute or two for a million keys, so its timeout is long.
    public func adoptRestoredRows() async throws(StoreError) {
        _ = try await calls.attempt { try await self.pool.query(FeedSQL.restamp, timeout: .seconds(3_600)) }
    }

    /// The state of the database's writes, as observed by `monitorWrites()` and by the writes of this instance.
    public var writes: WriteAvailability { calls.writeMonitor.availability }

    /// Probes every few seconds if the database accepts writes, until the task is cancelled. Logs each change.
    public func monitorWrites() async {
        await calls.writeMonitor.run(on: pool)
    }

    public func close() async {
        await pool.close()
        await feedPool.close()
    }
}
