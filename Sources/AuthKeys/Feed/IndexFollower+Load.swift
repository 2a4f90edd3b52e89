import Logging
import Metrics

extension IndexFollower {
    /// The pause between two loads from a database that lacks keys.
    private static let confirmationPause = Duration.seconds(2)

    /// Loads all keys. If the database lacks keys that the index holds, a second load follows a moment later, and is
    /// accepted if it lacks as many. The first load may have met an unfinished restore. Until then the index is served
    /// in degraded state.
    /// - Parameter acceptsDatabase: whether the database is accepted at once, even if it reactivates a key.
    /// - Returns: the position from which the changes continue.
    public func load(acceptsDatabase: Bool = false) async throws(StoreError) -> Watermark {
        var suspected: (missing: Int, history: String)?
        while true {
            let start = time.uptime()
            loads.increment()
            index.beginLoad()
            let batch = try await read(since: nil, acceptsDatabase: acceptsDatabase)
            let (missing, history) = (index.countUnseen(), batch.watermark.history)
            if missing == 0 || acceptsDatabase || suspected.map({ $0 == (missing, history) }) ?? false {
                let removed = index.finishLoad(acceptsDatabase: acceptsDatabase)
                noteApplied(batch.watermark)
                freshness.recordSync(startedAt: start)
                logger.info(
                    "keys loaded",
                    metadata: [
                        "keys": .stringConvertible(index.count), "removed": .stringConvertible(removed),
                        "skipped": .stringConvertible(batch.skipped),
                        "seconds": .stringConvertible((time.uptime() - start) / .seconds(1)),
                    ])
                return batch.watermark
            }
            suspected = (missing, history)
            freshness.recordFailure(startedAt: start)
            logger.warning(
                "the database lacks keys that are in memory, which are served until a second load confirms it",
                metadata: ["missing": .stringConvertible(missing)])
            do { try await time.sleep(Self.confirmationPause) } catch {
                throw StoreError(.unavailable, detail: "the load was cancelled")
            }
        }
    }
}
