public import Logging
import Metrics
import Synchronization

/// Keeps the index consistent with the database. It loads all keys once, then reads the changes on each hint and at
/// least once a second. It never gives up: while the database is unavailable, the index is served as long as
/// `IndexFreshness` allows.
///
/// Three rules protect revocations:
/// - No position is trusted across a lost past (`Watermark.continuity`).
/// - A load that lacks keys is confirmed by a second one (`load`).
/// - The reconciliation finds differences that the feed does not report (`Reconciler`).
public final class IndexFollower: Sendable {
    let store: any KeyFeed
    private let hints: any ChangeHints
    let index: KeyIndex
    let freshness: IndexFreshness
    let reads: ReadWaiters
    private let writesBack: Bool
    let time: TimeSource
    let logger: Logger
    private let reconciler: Reconciler?

    private let state = Mutex(State())

    private struct State {
        var onRead: [@Sendable () -> Void] = []
        var wake: AsyncStream<Void>.Continuation?
        var writes: AsyncStream<Void>.Continuation?
        var resync: FeedReading.Order?
        /// The newest state of the database that entries in the index come from. It may be newer than the reader's
        /// position, if a read had to be repeated and the repetition failed.
        var seen: Watermark?
        /// The newest position whose changes are all in the index.
        var applied: Watermark?
        /// True if a read failed after it had applied entries: the state of the database that they come from is
        /// unknown.
        var isTorn = false
        /// The disputed revocations that have been logged.
        var noted: Set<DisputedEnd> = []
    }

    private let syncs = Timer(label: "keyward_feed_sync_seconds")
    private let failures = Counter(label: "keyward_feed_failures_total")
    private let rereads = Counter(label: "keyward_feed_rereads_total")
    let loads = Counter(label: "keyward_feed_full_loads_total")
    private let skipped = Gauge(label: "keyward_feed_skipped_rows")
    private let writtenBack = Counter(label: "keyward_ends_written_back_total")
    private let notWrittenBack = Counter(label: "keyward_ends_not_written_back_total")

    /// The time between two pulses; a read may be due at each.
    static let tick = Duration.milliseconds(100)
    /// The time between two reads without a hint.
    private static let interval = Duration.seconds(1)

    /// - Parameters:
    ///   - reads: lets callers wait for the follower's reads.
    ///   - writesBack: whether revocations that the database lost are written back; a role that only verifies may not
    ///     write.
    ///   - reconciliation: the duration of one comparison of the index with the table; nil for no comparison.
    public init(
        store: any KeyFeed, hints: any ChangeHints, index: KeyIndex, freshness: IndexFreshness,
        reads: ReadWaiters = ReadWaiters(), writesBack: Bool = true, reconciliation: Duration? = nil,
        time: TimeSource = .system, logger: Logger
    ) {
        self.store = store
        self.hints = hints
        self.index = index
        self.freshness = freshness
        self.reads = reads
        self.writesBack = writesBack
        self.time = time
        self.logger = logger
        reconciler = reconciliation.map {
            Reconciler(store: store, index: index, reads: reads, period: $0, time: time, logger: logger)
        }
    }

    /// The newest position whose changes are all in the index; nil before the first load.
    public var applied: Watermark? { state.withLock { $0.applied } }

    /// Records that the index has all changes up to a position.
    func noteApplied(_ watermark: Watermark) { state.withLock { $0.applied = watermark } }

    /// Adds a function to call after each successful read of the changes, for what may have changed with the keys. It
    /// must return at once.
    public func addObserver(_ onRead: @escaping @Sendable () -> Void) {
        state.withLock { $0.onRead.append(onRead) }
    }

    /// Loads all keys again with the next read.
    /// - Parameter order: whether the database is accepted where it reactivates a key.
    public func resync(_ order: FeedReading.Order) {
        let wake = state.withLock { state in
            if state.resync != .acceptDatabase { state.resync = order }
            return state.wake
        }
        wake?.yield()
    }

    /// Follows the changes from a watermark until the task is cancelled.
    public func follow(from watermark: Watermark) async {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (writes, write) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        state.withLock { ($0.wake, $0.writes) = (wake, write) }
        reads.follow(true)
        freshness.pulse()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [hints] in
                for await _ in hints.hints { wake.yield() }
            }
            group.addTask {
                await self.pulse { wake.yield() }
                wake.finish()
            }
            group.addTask { [reconciler] in await reconciler?.run() }
            // Not in the reader's task: a locked row must not delay the next revocation.
            group.addTask {
                for await _ in writes { await self.writeBack() }
            }
            group.addTask {
                var current = watermark
                for await _ in wakes {
                    current = await self.sync(from: current)
                    self.reconciler?.follow(current)
                }
            }
        }
        freshness.endPulse()
        reads.follow(false)
    }

    /// Shows that the process runs. Wakes the reader once an interval, and at once after the process was suspended.
    private func pulse(_ wake: () -> Void) async {
        var lastWake = time.uptime()
        var wasLate = false
        while (try? await time.sleep(Self.tick)) != nil {
            let now = time.uptime()
            let hasSlept = freshness.pulse()
            reads.expire()
            let isLate = freshness.isLate
            if isLate, !wasLate { logger.warning("the database does not respond in time, serving keys from memory") }
            wasLate = isLate
            if hasSlept || now - lastWake >= Self.interval {
                lastWake = now
                wake()
            }
        }
    }

    private func sync(from watermark: Watermark) async -> Watermark {
        let (start, number) = (time.uptime(), reads.begin())
        do throws(StoreError) {
            var reached = try await loadIfOrdered()
            if reached == nil { reached = try await readOn(from: watermark) }
            if freshness.status != .ready { logger.notice("the database can be read again, keys are up to date") }
            if let reached { noteApplied(reached) }
            // Before the waiters resume, which verify with the freshness that the read gave.
            freshness.recordSync(startedAt: start)
            reads.end(number, worked: true)
            for observer in state.withLock({ $0.onRead }) { observer() }
            syncs.recordNanoseconds((time.uptime() - start).nanoseconds)
            if index.disputedEndCount > 0 { _ = state.withLock { $0.writes }?.yield() }
            return reached ?? watermark
        } catch {
            defer { reads.end(number, worked: false) }
            // A statement that shutdown cancels is not a database failure.
            if Task.isCancelled { return watermark }
            if !freshness.hasFailed {
                logger.warning("the database cannot be read, serving keys from memory", metadata: ["error": "\(error)"])
            }
            failures.increment()
            freshness.recordFailure(startedAt: start)
            return watermark
        }
    }

    /// Loads all keys if an order to do so is pending; returns nil otherwise.
    private func loadIfOrdered() async throws(StoreError) -> Watermark? {
        guard let order = state.withLock({ $0.resync }) else { return nil }
        let watermark = try await load(acceptsDatabase: order == .acceptDatabase)
        state.withLock { if $0.resync == order { $0.resync = nil } }
        return watermark
    }

    /// Reads the changes since a watermark, and repeats the read until nothing can be missing, or loads all keys.
    private func readOn(from watermark: Watermark) async throws(StoreError) -> Watermark {
        var start = watermark
        while true {
            let batch = try await read(since: start)
            var continuity = watermark.continuity(to: batch.reading)
            let (seen, isTorn) = state.withLock { ($0.seen, $0.isTorn) }
            if isTorn {
                continuity = .broken(.torn)
            } else if case .broken(let reason) = seen?.continuity(to: batch.reading) {
                continuity = .broken(reason)
            }
            state.withLock { $0.seen = batch.watermark }
            logger.debug(
                "changes read", metadata: ["rows": .stringConvertible(batch.count), "continuity": "\(continuity)"])
            if let order = batch.reading.order, continuity != .broken(.replaced) {
                logger.notice("an operator ordered all keys to be loaded again")
                return try await load(acceptsDatabase: order == .acceptDatabase)
            }
            switch continuity {
            case .continues: return batch.watermark
            case .rereads(let position) where start.position <= position: return batch.watermark
            case .rereads(let position):
                rereads.increment()
                start = watermark.rewound(to: position)
            case .broken(let reason):
                logger.warning(
                    "change feed broke off, loading all keys again", metadata: ["reason": "\(reason.rawValue)"])
                // In a replaced database, an order counts only if it was given for this very database. The store checks
                // that.
                return try await load(acceptsDatabase: batch.reading.order == .acceptDatabase)
            }
        }
    }

    /// Reads the changes, or all keys, into the index.
    func read(since watermark: Watermark?, acceptsDatabase: Bool = false) async throws(StoreError) -> ChangeBatch {
        // Before the keys, which may be millions: the hint of a new scheme triggers a read of its own.
        index.schemes.add(try await store.schemes())
        let hasApplied = Atomic(false)
        let batch: ChangeBatch
        do throws(StoreError) {
            batch = try await store.changes(since: watermark) { [index] entry in
                hasApplied.store(true, ordering: .relaxed)
                if watermark == nil {
                    index.load(entry, acceptsDatabase: acceptsDatabase)
                } else {
                    index.follow(entry)
                }
            }
        } catch {
            if hasApplied.load(ordering: .relaxed) { state.withLock { $0.isTorn = true } }
            throw error
        }
        if watermark == nil { state.withLock { $0.isTorn = false } }
        if batch.skipped > 0 || watermark == nil { skipped.record(batch.skipped) }
        return batch
    }

    /// The maximum number of revocations in one transaction.
    private static let writeBatch = 500
    /// The pause after a failed write.
    private static let writeRetry = Duration.seconds(5)

    /// Writes the lost revocations back to the database, after reading the row of each again.
    private func writeBack() async {
        let disputed = index.disputedEnds.sorted { ($0.keyID.high, $0.keyID.low) < ($1.keyID.high, $1.keyID.low) }
        state.withLock { $0.noted.formIntersection(disputed) }
        for start in stride(from: 0, to: disputed.count, by: Self.writeBatch) {
            let batch = Array(disputed[start..<min(start + Self.writeBatch, disputed.count)])
            do throws(StoreError) {
                try await writeBack(batch)
            } catch {
                noteUnwritten(batch, reason: "\(error)")
                _ = try? await time.sleep(Self.writeRetry)
                return
            }
        }
    }

    private func writeBack(_ ends: [DisputedEnd]) async throws(StoreError) {
        // The current rows: a row that no longer denies the revocation settles its dispute.
        for entry in try await store.find(ends.map(\.digest)) { index.follow(entry) }
        let denied = Set(index.disputedEnds)
        let ends = ends.filter(denied.contains)
        if ends.isEmpty { return }
        guard writesBack else { return noteUnwritten(ends, reason: "this role may not change keys") }
        try await store.writeBack(ends)
        let new = notNoted(ends)
        writtenBack.increment(by: new.count)
        log(new, "the database had lost the revocation of a key: it was written back")
    }

    private func noteUnwritten(_ ends: [DisputedEnd], reason: String) {
        let new = notNoted(ends)
        notWrittenBack.increment(by: new.count)
        log(
            new, "the database lost the revocation of a key: it cannot be written back, and this instance keeps it",
            reason: reason)
    }

    /// Returns the revocations that have not been logged yet.
    private func notNoted(_ ends: [DisputedEnd]) -> [DisputedEnd] {
        state.withLock { state in
            let new = ends.filter { !state.noted.contains($0) }
            state.noted.formUnion(new)
            return new
        }
    }

    /// Logs one line for each key, up to a limit.
    private func log(_ ends: [DisputedEnd], _ message: Logger.Message, reason: String? = nil) {
        for end in ends.prefix(100) {
            var metadata: Logger.Metadata = ["key_id": "\(end.keyID)"]
            metadata["reason"] = reason.map { "\($0)" }
            logger.warning(message, metadata: metadata)
        }
        if ends.count > 100 {
            logger.warning(
                "more keys are affected than are listed", metadata: ["keys": .stringConvertible(ends.count - 100)])
        }
    }
}
