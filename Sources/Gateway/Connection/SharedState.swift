import Listening
import NIOCore
import Synchronization

/// State shared by all event loops of a gateway.
final class SharedState: Sendable {
    /// The number of requests in flight of each account.
    let accounts = AccountCounts()
    /// The pace of warnings about upstreams.
    let warnings = WarningPace(every: .seconds(1))
    /// The pace of warnings about costs that cannot be read.
    let costWarnings = WarningPace(every: .minutes(1))
    private let inFlight = Atomic<Int>(0)
    private let connections = Atomic<Int>(0)

    var requestCount: Int { inFlight.load(ordering: .relaxed) }
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    /// Counts a request; returns the number in flight, this one included.
    func requestBegan() -> Int { inFlight.wrappingAdd(1, ordering: .relaxed).newValue }
    func requestEnded() { inFlight.wrappingSubtract(1, ordering: .relaxed) }

    /// Counts a connection; returns the number of connections, this one included.
    func connectionOpened() -> Int { connections.wrappingAdd(1, ordering: .relaxed).newValue }
    func connectionClosed() { connections.wrappingSubtract(1, ordering: .relaxed) }
}
