import NIOCore

/// The assignment of upstream connections to requests on one event loop: the decisions of `UpstreamPool`, without its
/// sockets.
///
/// Connections are used last in, first out, so that surplus ones stay idle and are closed. A holder (the key of a
/// request) waits while it holds as many connections as are free. The requests of other holders do not wait behind it.
struct PoolState<Connection: AnyObject, Waiter: Identifiable, Holder: Hashable> {
    enum Grant {
        case reuse(Connection)
        case connect
    }

    private let limit: Int
    private var idle: [(connection: Connection, since: NIODeadline)] = []
    private var share: FairShare<Holder>
    private var waiters = FairQueue<Waiter, Holder>()
    /// Connections that are open or being opened, without tunnels.
    private(set) var open = 0
    private var tunnels = 0

    init(limit: Int) {
        self.limit = limit
        share = FairShare(limit: limit)
    }

    /// Connections in use or being opened, tunnels, and waiting requests.
    var load: Int { open - idle.count + waiters.count + tunnels }

    var idleConnections: [Connection] { idle.map(\.connection) }

    /// Returns a connection for a request of a holder, or nil if it has to wait.
    /// - Parameter fresh: true to get a connection that was never used.
    mutating func acquire(_ waiter: Waiter, of holder: Holder, fresh: Bool) -> Grant? {
        if let grant = grant(holder, fresh: fresh) { return grant }
        waiters.append(waiter, of: holder)
        return nil
    }

    /// Returns the next request that no longer has to wait. Call it after each change until it returns nil.
    mutating func next() -> (waiter: Waiter, holder: Holder, grant: Grant)? {
        guard waiters.count > 0, !idle.isEmpty || open < limit else { return nil }
        guard let (waiter, holder) = waiters.popFirst(where: { share.admits($0) }),
            let grant = grant(holder, fresh: false)
        else { return nil }
        return (waiter, holder, grant)
    }

    private mutating func grant(_ holder: Holder, fresh: Bool) -> Grant? {
        guard !fresh && !idle.isEmpty || open < limit, share.acquire(holder) else { return nil }
        if !fresh, let last = idle.popLast() { return .reuse(last.connection) }
        open += 1
        return .connect
    }

    /// Keeps a connection that no longer serves its holder for others.
    mutating func release(_ connection: Connection, of holder: Holder?, now: NIODeadline) {
        if let holder { share.release(holder) }
        idle.append((connection, now))
    }

    /// Withdraws a connection that is about to close. It stays counted until it has closed.
    mutating func withdraw(_ connection: Connection) {
        idle.removeAll { $0.connection === connection }
    }

    /// Removes a connection that closed; nil for one that could not be opened.
    /// - Parameter holder: the holder that it served.
    mutating func closed(_ connection: Connection?, of holder: Holder?) {
        open -= 1
        if let holder { share.release(holder) }
        if let connection { idle.removeAll { $0.connection === connection } }
    }

    /// Removes a connection that carries a tunnel from now on.
    mutating func becameTunnel(of holder: Holder?) {
        closed(nil, of: holder)
        tunnels += 1
    }

    mutating func tunnelClosed() {
        tunnels -= 1
    }

    /// Removes a request that no longer needs a connection.
    mutating func cancel(_ waiter: Waiter, of holder: Holder) {
        waiters.remove(waiter, of: holder)
    }

    /// True if a request waits because of the connections that its own holder has.
    func isHeldBack(_ waiter: Waiter, of holder: Holder) -> Bool {
        share.free > 0 && !share.admits(holder) && waiters.contains(waiter, of: holder)
    }

    /// The number of waiting requests, and the fewest connections that a holder of one has; nil if none waits.
    var pressure: (waiting: Int, least: Int)? {
        waiters.holders.lazy.map(share.held(by:)).min().map { (waiters.count, $0) }
    }

    func held(by holder: Holder) -> Int { share.held(by: holder) }

    /// The connections that have been idle since before `moment`. They stay counted until they are closed.
    func expired(before moment: NIODeadline) -> [Connection] {
        idle.prefix { $0.since < moment }.map(\.connection)
    }
}
