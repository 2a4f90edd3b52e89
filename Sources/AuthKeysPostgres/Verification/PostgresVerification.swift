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
    /// Decides about the limits of keys.
    public let limiter: Limiter
    /// Exchanges limits with the database.
    public let limitSync: LimitSync
    /// The list of instances.
    public let instances: any InstanceStore
    /// The heartbeat of this instance, which `follow` writes.
    public let heartbeat: InstanceHeartbeat
    /// The levels, credits and slots that instances share.
    public let limits: PostgresLimitStore
    /// The identifier of this instance.
    public let instanceID = KeyID.generate()
    private let feedPool: PostgresPool
    private let limitPool: PostgresPool
    /// The number of attempts to read plans and owner limits at start.
    private static let limitAttempts = 3
    private let heartbeatPool: PostgresPool
    private let hints: PostgresChangeHints
    private let follower: IndexFollower
    private let logger: Logger

    /// Creates the components. They connect only in `withConnections`.
    /// - Parameters:
    ///   - direct: a direct connection to PostgreSQL, if `target` is a transaction pooler; otherwise nil.
    ///   - reconciliation: the duration of a comparison of the index with the table; nil for none.
    ///   - writesBack: true if revocations and expiries that the database lost are written back.
    ///   - usageInterval: the interval at which usage is recorded; nil if it is not recorded.
    ///   - limits: the options of limits.
    public init(
        target: PostgresTarget, direct: PostgresTarget? = nil, maxStaleness: Duration, usageInterval: Duration?,
        reconciliation: Duration? = nil, writesBack: Bool = false, limits options: LimitOptions = LimitOptions(),
        logger: Logger
    ) {
        self.logger = logger
        var connections = ConnectionSettings()
        connections.isPooled = direct != nil
        feedPool = PostgresPool(
            target: target, settings: connections, configuration: PoolConfiguration(maximumConnections: 2),
            logger: logger)
        limitPool = PostgresPool(
            target: target, settings: connections, configuration: PoolConfiguration(maximumConnections: 1),
            logger: logger)
        limits = PostgresLimitStore(pool: limitPool)
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
        limiter = Limiter(options: options, logger: logger)
        limitSync = LimitSync(
            limiter: limiter, store: limits, pruner: PostgresLimitStore(pool: pool), instance: instanceID,
            logger: logger
        ) { [heartbeat] in heartbeat.liveInstances }
        follower.addObserver { [limitSync] in limitSync.refreshDefinitions() }
        verifier = KeyVerifier(
            index: index, freshness: freshness, lookup: UnknownKeyLookup(store: feed, index: index, reads: reads),
            reads: reads, limiter: limiter, logger: logger)
    }

    /// Runs `body` with open connections, and closes them afterwards.
    public func withConnections(_ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            group.addTask { await feedPool.run() }
            group.addTask { await limitPool.run() }
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
        await limitPool.close()
        await heartbeatPool.close()
    }

    /// Loads all keys and returns the watermark from which to follow the changes.
    public func load() async throws(StoreError) -> Watermark {
        await loadLimits()
        return try await follower.load()
    }

    /// Reads what limits depend on, before the first request. Start-up does not depend on it: the role of an app may
    /// verify keys without rights for limits. Keys of plans are then refused, until a later read works.
    private func loadLimits() async {
        for attempt in 1...Self.limitAttempts {
            do throws(StoreError) {
                limitSync.expect(instances: try await instances.instances().count(where: \.isLive) + 1)
                return try await limitSync.readDefinitions()
            } catch {
                guard attempt == Self.limitAttempts else { continue }
                logger.warning("plans and owner limits could not be read", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Reloads all keys as soon as possible.
    public func resync(_ order: FeedReading.Order) {
        follower.resync(order)
    }

    /// Follows the changes from a watermark on, exchanges limits, records usage and writes heartbeats, until the task
    /// is cancelled. Call `end` afterwards.
    /// - Parameter identity: the identity of this instance; nil if it writes no heartbeats.
    public func follow(from watermark: Watermark, as identity: InstanceIdentity? = nil) async {
        await withTaskGroup(of: Void.self) { group in
            if let identity { group.addTask { await heartbeat.run(as: identity) } }
            group.addTask { await hints.run() }
            group.addTask { await follower.follow(from: watermark) }
            group.addTask { await usage?.run() }
            group.addTask { await limitSync.run() }
        }
    }

    /// Writes the usage that is not stored yet, gives back what limits and credits lent, and removes this instance from
    /// the list of instances.
    public func end() async {
        await limitSync.end()
        await usage?.flush()
        await heartbeat.end()
    }
}
