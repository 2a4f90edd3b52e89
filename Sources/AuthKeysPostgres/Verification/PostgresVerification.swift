public import AuthKeys
public import LibPQ
public import Logging

/// The components that verify keys from PostgreSQL: connections, store, index, change feed, and usage counting.
public struct PostgresVerification: Sendable {
    public let pool: PostgresPool
    public let feed: PostgresKeyFeed
    public let index: KeyIndex
    public let freshness: IndexFreshness
    /// Nil if usage is not recorded.
    public let usage: UsageRecorder?
    public let verifier: KeyVerifier
    /// The list of instances.
    public let instances: any InstanceStore
    /// The heartbeat of this instance, which `follow` writes.
    public let heartbeat: InstanceHeartbeat
    private let feedPool: PostgresPool
    private let heartbeatPool: PostgresPool
    private let hints: PostgresChangeHints
    private let follower: IndexFollower

    /// Creates the components. They connect only in `withConnections`.
    /// - Parameters:
    ///   - direct: a direct connection to PostgreSQL, if `target` is a transaction pooler; otherwise nil.
    ///   - reconciliation: the duration of a comparison of the index with the table; nil for none.
    ///   - writesBack: true if revocations and expiries that the database lost are written back.
    ///   - usageInterval: the interval at which usage is recorded; nil if it is not recorded.
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
        feed = PostgresKeyFeed(pool: pool, feedPool: feedPool, logger: logger)
        hints = PostgresChangeHints(target: direct ?? target, logger: logger)
        index = KeyIndex()
        freshness = IndexFreshness(maxStaleness: maxStaleness)
        let reads = ReadWaiters()
        follower = IndexFollower(
            store: feed, hints: hints, index: index, freshness: freshness, reads: reads, writesBack: writesBack,
            reconciliation: reconciliation, logger: logger)
        // A connection of its own: no heartbeat may delay a lookup or a revocation, and no call of an admin may delay a
        // heartbeat, which logs its failures itself.
        heartbeatPool = PostgresPool(
            target: target, settings: connections, configuration: PoolConfiguration(maximumConnections: 1),
            logger: Logger(label: logger.label) { _ in SwiftLogNoOpLogHandler() })
        instances = PostgresInstances(pool: pool)
        heartbeat = InstanceHeartbeat(
            store: PostgresInstances(pool: heartbeatPool), logger: logger
        ) { [follower, freshness] in
            InstanceProgress(applied: follower.applied?.position, indexAge: freshness.age)
        }
        heartbeat.addFigures { [index] in ["keys": .integer(Int64(index.count))] }
        usage =
            if let usageInterval { UsageRecorder(store: feed, interval: usageInterval, logger: logger) } else { nil }
        verifier = KeyVerifier(
            index: index, freshness: freshness, lookup: UnknownKeyLookup(store: feed, index: index, reads: reads),
            reads: reads, logger: logger)
    }

    /// Runs `body` with open connections, and closes them afterwards.
    public func withConnections(_ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            group.addTask { await feedPool.run() }
            group.addTask { await heartbeatPool.run() }
            do {
                try await body()
            } catch {
                await close()
                throw error
            }
            await close()
            try await group.waitForAll()
        }
    }

    private func close() async {
        await feed.close()
        await heartbeatPool.close()
    }

    /// Loads all keys and returns the watermark from which to follow the changes.
    public func load() async throws(StoreError) -> Watermark {
        try await follower.load()
    }

    /// Reloads all keys as soon as possible.
    public func resync(_ order: FeedReading.Order) {
        follower.resync(order)
    }

    /// Follows the changes from a watermark on, records usage and writes heartbeats, until the task is cancelled. Call
    /// `end` afterwards.
    /// - Parameter identity: the identity of this instance; nil if it writes no heartbeats.
    public func follow(from watermark: Watermark, as identity: InstanceIdentity? = nil) async {
        await withTaskGroup(of: Void.self) { group in
            if let identity { group.addTask { await heartbeat.run(as: identity) } }
            group.addTask { await hints.run() }
            group.addTask { await follower.follow(from: watermark) }
            group.addTask { await usage?.run() }
        }
    }

    /// Writes the usage that is not stored yet, and removes this instance from the list of instances.
    public func end() async {
        await usage?.flush()
        await heartbeat.end()
    }
}
