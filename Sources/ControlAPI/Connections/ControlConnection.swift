import NIOCore
import Synchronization

/// A connection of the control listener, as other event loops see it.
final class ControlConnection: Sendable {
    let channel: any Channel
    let client: ClientNetwork
    /// The time of the connection's last progress, in nanoseconds of `NIODeadline`.
    private let mark: Atomic<Int64>

    /// Marks a connection that must not be closed in favour of another.
    private static let busy = Int64.max
    /// Marks a connection that is being closed in favour of another.
    private static let evicted = Int64.min

    init(_ channel: any Channel, at now: NIODeadline) {
        self.channel = channel
        client = ClientNetwork(channel.remoteAddress)
        mark = Atomic(Self.nanoseconds(now))
    }

    /// The time of the last progress, if the connection may be closed in favour of another; otherwise nil.
    var evictableSince: Int64? {
        let mark = mark.load(ordering: .relaxed)
        return mark == Self.busy || mark == Self.evicted ? nil : mark
    }

    /// Records the time of the last progress; nil while the connection must not be closed in favour of another. Must be
    /// called on the connection's event loop.
    /// - Returns: false if the connection is being closed; nothing that arrives on it is handled.
    func note(evictableSince start: NIODeadline?) -> Bool {
        let mark = mark.load(ordering: .relaxed)
        guard mark != Self.evicted else { return false }
        let new = start.map(Self.nanoseconds) ?? Self.busy
        return self.mark.compareExchange(expected: mark, desired: new, ordering: .relaxed).exchanged
    }

    /// Marks the connection as being closed; returns false if it has made progress since.
    func evict(ifUnchangedSince start: Int64) -> Bool {
        mark.compareExchange(expected: start, desired: Self.evicted, ordering: .relaxed).exchanged
    }

    private static func nanoseconds(_ moment: NIODeadline) -> Int64 { Int64(clamping: moment.uptimeNanoseconds) }
}
