package import NIOCore
import Synchronization

/// Limits the warnings about a lasting problem to one per interval, over all event loops.
///
/// `LibPQ` has a pace of its own, because it imports no other target.
package final class WarningPace: Sendable {
    private let interval: Int64
    private let last = Atomic<Int64>(.min)

    package init(every interval: TimeAmount) {
        self.interval = interval.nanoseconds
    }

    /// Returns true if a warning is due.
    package func isDue(now: NIODeadline = .now()) -> Bool {
        let now = Int64(clamping: now.uptimeNanoseconds)
        let previous = last.load(ordering: .relaxed)
        guard previous == .min || now - previous >= interval else { return false }
        return last.compareExchange(expected: previous, desired: now, ordering: .relaxed).exchanged
    }
}
