import Synchronization

/// Limits repeated warnings about a lasting problem: one when it begins, then one per interval.
final class WarningPace: Sendable {
    static let interval = Duration.seconds(30)

    private let last = Mutex<ContinuousClock.Instant?>(nil)

    /// Returns true if a warning is due now.
    func isDue() -> Bool {
        let now = ContinuousClock.now
        return last.withLock { last in
            if let last, now - last < Self.interval { return false }
            last = now
            return true
        }
    }

    /// Records that the problem is over.
    func reset() {
        last.withLock { $0 = nil }
    }
}
