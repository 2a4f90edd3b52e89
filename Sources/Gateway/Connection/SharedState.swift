import Synchronization

/// What all event loops of a gateway share.
final class SharedState: Sendable {
    /// The requests under way of each account.
    let accounts = AccountCounts()
    private let inFlight = Atomic<Int>(0)
    private let connections = Atomic<Int>(0)
    private let warnedAt = Atomic<Int64>(.min)

    var requestCount: Int { inFlight.load(ordering: .relaxed) }
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    /// Counts a request in; returns how many are under way with it.
    func requestBegan() -> Int { inFlight.wrappingAdd(1, ordering: .relaxed).newValue }
    func requestEnded() { inFlight.wrappingSubtract(1, ordering: .relaxed) }

    /// Counts a connection in; returns how many there are with it.
    func connectionOpened() -> Int { connections.wrappingAdd(1, ordering: .relaxed).newValue }
    func connectionClosed() { connections.wrappingSubtract(1, ordering: .relaxed) }

    /// Whether a warning may be written now: once a second, whoever asks. `now` is in nanoseconds.
    func mayWarn(now: Int64) -> Bool {
        let last = warnedAt.load(ordering: .relaxed)
        guard last == .min || now - last >= 1_000_000_000 else { return false }
        return warnedAt.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    }
}
