import Logging
import Metrics

extension IndexFollower {
    /// The pause between two loads of a world that lacks keys.
    private static let secondLook = Duration.seconds(2)

    /// Loads all keys. A world that lacks keys which the index holds is believed when a second load, a moment later, lacks as many:
    /// the first may have met the middle of a restore. Until then the index is served, degraded.
    /// - Parameter acceptsDatabase: whether the database is believed at once, also where it revives a key.
    /// - Returns: the position at which the changes go on.
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
            do { try await time.sleep(Self.secondLook) } catch {
                throw StoreError(.unavailable, detail: "the load was cancelled")
            }
        }
    }
}
