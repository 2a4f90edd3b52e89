import Synchronization

/// State shared by all event loops of a gateway.
final class SharedState: Sendable {
    /// The number of requests in flight of each account.
    let accounts = AccountCounts()
    private let inFlight = Atomic<Int>(0)
    private let connections = Atomic<Int>(0)
    private let warnedAt = Atomic<Int64>(.min)

    var requestCount: Int { inFlight.load(ordering: .relaxed) }
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    /// Counts a request; returns the number in flight, this one included.
    func requestBegan() -> Int { inFlight.wrappingAdd(1, ordering: .relaxed).newValue }
    func requestEnded() { inFlight.wrappingSubtract(1, ordering: .relaxed) }

    /// Counts a connection; returns the number of connections, this one included.
    func connectionOpened() -> Int { connections.wrappingAdd(1, ordering: .relaxed).newValue }
    func connectionClosed() { connections.wrappingSubtract(1, ordering: .relaxed) }

    /// True if a warning may be logged now, at most once a second over all loops. `now` is in nanoseconds.
    func mayWarn(now: Int64) -> Bool {
        let last = warnedAt.load(ordering: .relaxed)
        guard last == .min || now - last >= 1_000_000_000 else { return false }
        return warnedAt.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    }
}
