import NIOCore

/// Which upstream connection serves whom, on one event loop: the decisions of `UpstreamPool`, without its sockets.
///
/// Connections are used last in, first out, so that those beyond need grow old and are closed. A holder (the key of a request)
/// that holds as many connections as are free waits until others are released; those of other holders do not wait behind it.
struct PoolState<Connection: AnyObject, Waiter: AnyObject, Holder: Hashable> {
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

    /// Connections in use or being opened, tunnels, and the requests that wait.
    var load: Int { open - idle.count + waiters.count + tunnels }

    var idleConnections: [Connection] { idle.map(\.connection) }

    /// A request of a holder needs a connection; `fresh`: one that was never used. Nil where it has to wait.
    mutating func acquire(_ waiter: Waiter, of holder: Holder, fresh: Bool) -> Grant? {
        if let grant = grant(holder, fresh: fresh) { return grant }
        waiters.append(waiter, of: holder)
        return nil
    }

    /// The next request that need not wait any more, to be asked for after each change until there is none.
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

    /// A connection does not serve its holder any more, and is kept for others.
    mutating func release(_ connection: Connection, of holder: Holder?, now: NIODeadline) {
        if let holder { share.release(holder) }
        idle.append((connection, now))
    }

    /// A connection is about to close. It stays counted until it has.
    mutating func withdraw(_ connection: Connection) {
        idle.removeAll { $0.connection === connection }
    }

    /// A connection closed, or could not be opened (nil). `holder`: the one that it served.
    mutating func closed(_ connection: Connection?, of holder: Holder?) {
        open -= 1
        if let holder { share.release(holder) }
        if let connection { idle.removeAll { $0.connection === connection } }
    }

    /// A connection carries a tunnel from here on: it leaves the pool.
    mutating func becameTunnel(of holder: Holder?) {
        closed(nil, of: holder)
        tunnels += 1
    }

    mutating func tunnelClosed() {
        tunnels -= 1
    }

    /// A request does not need a connection any more.
    mutating func cancel(_ waiter: Waiter, of holder: Holder) {
        waiters.remove(waiter, of: holder)
    }

    /// Whether a request waits because of what its own holder holds.
    func isHeldBack(_ waiter: Waiter, of holder: Holder) -> Bool {
        share.free > 0 && !share.admits(holder) && waiters.contains(waiter, of: holder)
    }

    /// The number of requests that wait, and the fewest connections that a holder of one has; nil where none waits.
    var pressure: (waiting: Int, least: Int)? {
        waiters.holders.lazy.map(share.held(by:)).min().map { (waiters.count, $0) }
    }

    func held(by holder: Holder) -> Int { share.held(by: holder) }

    /// The connections that have been idle since before a moment. They stay counted until they are closed.
    func expired(before moment: NIODeadline) -> [Connection] {
        idle.prefix { $0.since < moment }.map(\.connection)
    }
}
