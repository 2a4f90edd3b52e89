public import Logging
import Metrics

/// Keeps the index true to the database: loads it once, then reads what changed, whenever a hint says so and at least once
/// a second. It never gives up; while the database is away, the index is served as far as `IndexFreshness` allows.
public final class IndexFollower: Sendable {
    private let store: any Store
    private let hints: any ChangeHints
    private let index: KeyIndex
    private let freshness: IndexFreshness
    private let interval: Duration
    private let time: TimeSource
    private let logger: Logger

    private let syncs = Timer(label: "keyward_feed_sync_seconds")
    private let failures = Counter(label: "keyward_feed_failures_total")
    private let loads = Counter(label: "keyward_feed_full_loads_total")
    private let skipped = Gauge(label: "keyward_feed_skipped_rows")

    public init(
        store: any Store, hints: any ChangeHints, index: KeyIndex, freshness: IndexFreshness,
        interval: Duration = .seconds(1), time: TimeSource = .system, logger: Logger
    ) {
        self.store = store
        self.hints = hints
        self.index = index
        self.freshness = freshness
        self.interval = interval
        self.time = time
        self.logger = logger
    }

    /// Loads everything and says where the changes go on.
    public func load() async throws(StoreError) -> Watermark {
        let start = time.uptime()
        loads.increment()
        index.beginLoad()
        let batch = try await read(since: nil)
        let removed = index.finishLoad()
        freshness.recordSync(startedAt: start)
        logger.info(
            "keys loaded",
            metadata: [
                "keys": "\(index.count)", "removed": "\(removed)", "skipped": "\(batch.skipped)",
                "seconds": "\((time.uptime() - start) / .seconds(1))",
            ])
        return batch.watermark
    }

    /// Follows the changes from a watermark on, until the task is cancelled.
    public func follow(from watermark: Watermark) async {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [hints] in
                for await _ in hints.hints { wake.yield() }
            }
            group.addTask { [time, interval, freshness] in
                while (try? await time.sleep(interval)) != nil {
                    freshness.checkAge()
                    wake.yield()
                }
                wake.finish()
            }
            group.addTask {
                var current = watermark
                for await _ in wakes { current = await self.sync(from: current) }
            }
        }
    }

    private func sync(from watermark: Watermark) async -> Watermark {
        let start = time.uptime()
        do throws(StoreError) {
            let batch = try await read(since: watermark)
            guard batch.watermark.continues(watermark) else {
                logger.warning("change feed broke off, loading all keys again")
                return try await load()
            }
            if freshness.standing != .ready { logger.notice("database is back, keys are fresh again") }
            freshness.recordSync(startedAt: start)
            syncs.recordNanoseconds((time.uptime() - start).nanoseconds)
            return batch.watermark
        } catch {
            if freshness.standing == .ready {
                logger.warning("database cannot be read, serving keys from memory", metadata: ["error": "\(error)"])
            }
            failures.increment()
            freshness.recordFailure()
            return watermark
        }
    }

    private func read(since watermark: Watermark?) async throws(StoreError) -> ChangeBatch {
        // Before the keys, which may be millions: a hint that comes with the first of a kind is followed by a look of its own.
        index.schemes.add(try await store.schemes())
        let batch = try await store.changes(since: watermark) { [index] entry in
            if watermark == nil { index.load(entry) } else { index.apply(entry) }
        }
        if batch.skipped > 0 || watermark == nil { skipped.record(batch.skipped) }
        return batch
    }
}
