import NIOCore

/// Which upstream connection serves whom, on one event loop: the decisions of `UpstreamPool`, without its sockets.
///
/// Connections are used last in, first out, so that those beyond need grow old and are closed.
struct PoolState<Connection: AnyObject, Waiter: AnyObject> {
    enum Grant {
        case reuse(Connection)
        case connect
        case wait
    }

    private let limit: Int
    private var idle: [(connection: Connection, since: NIODeadline)] = []
    private var waiters = CircularBuffer<Waiter>()
    /// Connections that are open or being opened.
    private(set) var open = 0

    init(limit: Int) {
        self.limit = limit
    }

    /// Connections in use or being opened, and who waits for one.
    var load: Int { open - idle.count + waiters.count }

    var idleConnections: [Connection] { idle.map(\.connection) }

    /// Somebody needs a connection; `fresh`: one that was never used.
    mutating func acquire(_ waiter: Waiter, fresh: Bool) -> Grant {
        if !fresh, let last = idle.popLast() { return .reuse(last.connection) }
        guard open < limit else {
            waiters.append(waiter)
            return .wait
        }
        open += 1
        return .connect
    }

    /// A connection is free. Returns whom it serves next; nil when it is kept.
    mutating func release(_ connection: Connection, now: NIODeadline) -> Waiter? {
        if let waiter = waiters.popFirst() { return waiter }
        idle.append((connection, now))
        return nil
    }

    /// A connection is about to close. It stays counted until it has.
    mutating func withdraw(_ connection: Connection) {
        idle.removeAll { $0.connection === connection }
    }

    /// A connection closed, or could not be opened (nil). Returns whom another may be opened for; it counts already.
    mutating func closed(_ connection: Connection?) -> Waiter? {
        open -= 1
        if let connection { idle.removeAll { $0.connection === connection } }
        guard let waiter = waiters.popFirst() else { return nil }
        open += 1
        return waiter
    }

    /// Somebody does not need a connection any more.
    mutating func cancel(_ waiter: Waiter) {
        waiters.removeAll { $0 === waiter }
    }

    /// The connections that have been idle since before a moment. They stay counted until they are closed.
    func expired(before moment: NIODeadline) -> [Connection] {
        idle.prefix { $0.since < moment }.map(\.connection)
    }
}
