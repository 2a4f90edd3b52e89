public import AuthKeys
public import LibPQ
public import Logging

/// All that verifies keys out of a PostgreSQL: connections, store, index, change feed, and the counting of use.
public struct PostgresVerification: Sendable {
    public let pool: PostgresPool
    public let store: PostgresAuthKeyStore
    public let index: KeyIndex
    public let freshness: IndexFreshness
    public let usage: UsageRecorder
    public let verifier: KeyVerifier
    private let feedPool: PostgresPool
    private let hints: PostgresChangeHints
    private let follower: IndexFollower

    /// Nothing is connected before `withConnections`.
    /// - Parameters:
    ///   - direct: straight to PostgreSQL, where the target is a transaction pooler's; nil where it is not.
    ///   - reconciliation: how long the comparison of the index with the table takes; nil for none.
    ///   - writesBack: whether ends of keys that the database lost are written back.
    ///   - usageInterval: how often use is written down; nil for not at all.
    public init(
        target: PostgresTarget, direct: PostgresTarget? = nil, maxStaleness: Duration, usageInterval: Duration?,
        reconciliation: Duration? = nil, writesBack: Bool = false, logger: Logger
    ) {
        var connections = ConnectionSettings()
        connections.isPooled = direct != nil
        feedPool = PostgresPool(
            target: target, settings: connections, configuration: PoolConfiguration(maximumConnections: 2),
            logger: logger)
        connections.queryTimeout = .seconds(10)
        pool = PostgresPool(target: target, settings: connections, logger: logger)
        store = PostgresAuthKeyStore(pool: pool, feedPool: feedPool, logger: logger)
        hints = PostgresChangeHints(target: direct ?? target, logger: logger)
        index = KeyIndex()
        freshness = IndexFreshness(maxStaleness: maxStaleness)
        let reads = ReadWaiters()
        follower = IndexFollower(
            store: store, hints: hints, index: index, freshness: freshness, reads: reads, writesBack: writesBack,
            reconciliation: reconciliation, logger: logger)
        usage = UsageRecorder(store: store, interval: usageInterval ?? .seconds(30), logger: logger)
        verifier = KeyVerifier(
            index: index, freshness: freshness, lookup: UnknownKeyLookup(store: store, index: index, reads: reads),
            reads: reads, usage: usageInterval == nil ? nil : usage, logger: logger)
    }

    /// Runs `body` while there are connections, and lets go of them afterwards.
    public func withConnections(_ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            group.addTask { await feedPool.run() }
            do {
                try await body()
            } catch {
                await store.close()
                throw error
            }
            await store.close()
            try await group.waitForAll()
        }
    }

    /// Loads all keys and says where the changes go on.
    public func load() async throws(StoreError) -> Watermark {
        try await follower.load()
    }

    /// Loads all keys again at the next chance.
    public func resync(_ order: FeedReading.Order) {
        follower.resync(order)
    }

    /// Follows the changes from a watermark on and writes down what is used, until the task is cancelled. `usage.flush()` writes
    /// what comes after.
    public func follow(from watermark: Watermark) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await hints.run() }
            group.addTask { await follower.follow(from: watermark) }
            group.addTask { await usage.run() }
        }
    }
}
