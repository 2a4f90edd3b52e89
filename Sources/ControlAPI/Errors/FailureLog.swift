import Logging
import Synchronization

/// Logs failures, at most one line a second for each message and cause. While a database is full, all requests fail
/// alike.
final class FailureLog: Sendable {
    private struct Entry {
        var loggedAt: ContinuousClock.Instant
        /// The number of failures since the last line.
        var omitted = 0
    }

    /// The number of causes to track. Causes are constant sentences and SQLSTATEs; beyond the limit, the oldest is
    /// dropped.
    private static let causeLimit = 256

    private let interval: Duration
    private let entries = Mutex<[String: Entry]>([:])

    /// - Parameter interval: the minimum time between two lines of one message and cause.
    init(interval: Duration = .seconds(1)) { self.interval = interval }

    /// Logs the cause, and the number of failures omitted since the previous line.
    func log(
        _ level: Logger.Level, _ message: Logger.Message, cause: String, to logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        guard let omitted = admit("\(message): \(cause)", now) else { return }
        var metadata: Logger.Metadata = ["error": "\(cause)"]
        if omitted > 0 { metadata["omitted"] = .stringConvertible(omitted) }
        logger.log(level: level, message, metadata: metadata)
    }

    /// Returns the number of omitted failures if a line is due, otherwise nil.
    private func admit(_ key: String, _ now: ContinuousClock.Instant) -> Int? {
        entries.withLock { entries in
            guard let entry = entries[key] else {
                if entries.count >= Self.causeLimit,
                    let oldest = entries.min(by: { $0.value.loggedAt < $1.value.loggedAt })
                {
                    entries[oldest.key] = nil
                }
                entries[key] = Entry(loggedAt: now)
                return 0
            }
            guard now - entry.loggedAt >= interval else {
                entries[key]?.omitted += 1
                return nil
            }
            entries[key] = Entry(loggedAt: now)
            return entry.omitted
        }
    }
}
