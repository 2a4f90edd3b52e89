import Logging
import Synchronization

/// Logs failures, one line a second at most for each message and cause: while a database is full, every request fails alike.
final class FailureLog: Sendable {
    private struct Entry {
        var loggedAt: ContinuousClock.Instant
        /// Failures since that line.
        var omitted = 0
    }

    /// Causes are constant sentences and SQLSTATEs; beyond this many, the oldest are forgotten.
    private static let room = 256

    private let interval: Duration
    private let entries = Mutex<[String: Entry]>([:])

    /// - Parameter interval: the time between two lines of one message and cause.
    init(interval: Duration = .seconds(1)) { self.interval = interval }

    /// Writes a line with the cause, and with the number of failures that were left out since the line before.
    func log(
        _ level: Logger.Level, _ message: Logger.Message, cause: String, to logger: Logger,
        now: ContinuousClock.Instant = .now
    ) {
        guard let omitted = admit("\(message): \(cause)", now) else { return }
        var metadata: Logger.Metadata = ["error": "\(cause)"]
        if omitted > 0 { metadata["omitted"] = .stringConvertible(omitted) }
        logger.log(level: level, message, metadata: metadata)
    }

    /// The number of failures that were left out; nil for one to leave out.
    private func admit(_ key: String, _ now: ContinuousClock.Instant) -> Int? {
        entries.withLock { entries in
            guard let entry = entries[key] else {
                if entries.count >= Self.room, let oldest = entries.min(by: { $0.value.loggedAt < $1.value.loggedAt }) {
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
