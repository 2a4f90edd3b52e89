import Synchronization

/// Keeps a trouble that lasts from filling the log: it is told when it begins, and then once in a while.
final class WarningPace: Sendable {
    static let interval = Duration.seconds(30)

    private let last = Mutex<ContinuousClock.Instant?>(nil)

    /// Whether to tell of it now.
    func isDue(now: ContinuousClock.Instant = .now) -> Bool {
        last.withLock { last in
            if let last, now - last < Self.interval { return false }
            last = now
            return true
        }
    }

    /// The trouble is over.
    func reset() {
        last.withLock { $0 = nil }
    }
}
