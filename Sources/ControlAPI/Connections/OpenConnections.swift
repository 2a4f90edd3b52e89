import Metrics
import NIOCore
import Synchronization

/// The connections of a control listener. It admits them within the limits, and closes them at the end of a shutdown.
///
/// Beyond a limit, a new connection replaces the one with the oldest progress: of its client if that client is at its
/// limit, otherwise of all. A connection whose last request had a valid admin credential is never replaced. Any other
/// may be, even while its request is processed. So clients that hold connections, idle or with slow requests, cannot
/// lock admins out.
public final class OpenConnections: Sendable {
    private let limits: ConnectionLimits
    private let state = Mutex(State())
    private let evictions = Counter(label: "keyward_control_connections_evicted_total")
    private let refusals = Counter(label: "keyward_control_connections_refused_total")

    init(limits: ConnectionLimits) {
        self.limits = limits
    }

    /// The connections that count against the limits.
    var count: Int { state.withLock { $0.admitted.count } }

    /// Closes all connections, also those with requests in progress, and refuses new ones.
    public func close() {
        let channels = state.withLock { state in
            state.isClosed = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }

    /// Admits a connection, and counts it until it is closed; nil if a limit is reached.
    func admit(_ channel: any Channel, at now: NIODeadline) -> ControlConnection? {
        let connection = ControlConnection(channel, at: now)
        let admission = state.withLock { $0.admit(connection, limits) }
        guard admission.isAdmitted else {
            refusals.increment()
            return nil
        }
        if let evicted = admission.evicted {
            evictions.increment()
            evicted.channel.close(promise: nil)
        }
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { state in
                state.remove(connection)
                state.channels[ObjectIdentifier(channel)] = nil
            }
        }
        return connection
    }

    private struct State {
        /// The connections that count against the limits.
        var admitted: [ObjectIdentifier: ControlConnection] = [:]
        private var counts: [ClientNetwork: Int] = [:]
        /// All connections that are not closed yet, including evicted ones.
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false

        mutating func admit(
            _ connection: ControlConnection, _ limits: ConnectionLimits
        ) -> (isAdmitted: Bool, evicted: ControlConnection?) {
            if isClosed { return (false, nil) }
            var evicted: ControlConnection?
            let isClientFull = counts[connection.client, default: 0] >= limits.perAddress
            if isClientFull || admitted.count >= limits.total {
                evicted = evictOldest(of: isClientFull ? connection.client : nil)
                guard evicted != nil else { return (false, nil) }
            }
            admitted[ObjectIdentifier(connection)] = connection
            counts[connection.client, default: 0] += 1
            channels[ObjectIdentifier(connection.channel)] = connection.channel
            return (true, evicted)
        }

        mutating func remove(_ connection: ControlConnection) {
            guard admitted.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
            let count = counts[connection.client, default: 1] - 1
            counts[connection.client] = count == 0 ? nil : count
        }

        /// - Parameter client: the client whose oldest connection is closed; nil for any client.
        private mutating func evictOldest(of client: ClientNetwork?) -> ControlConnection? {
            while true {
                var found: (connection: ControlConnection, since: Int64)?
                for connection in admitted.values where client.map({ $0 == connection.client }) ?? true {
                    guard let since = connection.evictableSince, since < found?.since ?? .max else { continue }
                    found = (connection, since)
                }
                guard let found else { return nil }
                // The connection's event loop may have received a request meanwhile.
                guard found.connection.evict(ifUnchangedSince: found.since) else { continue }
                remove(found.connection)
                return found.connection
            }
        }
    }
}
