import Dispatch
import Logging
import Synchronization

/// One connection to PostgreSQL.
///
/// All calls of libpq run on the connection's own serial queue, which is this actor's executor. No call blocks a thread
/// of the cooperative pool. Several tasks may call at once: each call, and each transaction as a whole, has exclusive
/// use of the connection, in order of arrival.
///
/// A broken connection stays broken: `isUsable` turns false and every call fails. `PostgresPool` replaces broken
/// connections.
public actor PostgresConnection: PostgresExecutor {
    /// An event that a connection reports to its owner.
    enum Event: Sendable {
        case notification(channel: String, payload: String)
        case closed
    }

    nonisolated let executor = ConnectionExecutor()
    nonisolated let settings: ConnectionSettings
    nonisolated let logger: Logger
    private let observer: (@Sendable (Event) -> Void)?
    private nonisolated let usable = Atomic(true)
    private nonisolated let inUse = Atomic(false)

    /// The established connection; nil before and after.
    var session: Session?
    private(set) var isClosed = false
    var statements: StatementCache
    /// Statements that are still prepared on the server but no longer in the cache.
    var abandonedStatements: [String] = []
    var waits = WaitTable()
    var turns = Turns()
    /// True if the socket had an event while no call waited for it. A call that is about to wait may have missed it.
    var hasMissedEvent = false
    /// True while a cancel request is in progress. It might hit any statement that runs when it arrives.
    var isCancelUnderWay = false

    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(settings: ConnectionSettings, logger: Logger, observer: (@Sendable (Event) -> Void)?) {
        self.settings = settings
        self.logger = logger
        self.observer = observer
        statements = StatementCache(capacity: settings.isPooled ? 0 : settings.preparedStatements)
    }

    /// True if the connection is not closed and not known to be broken. Only a statement can prove that it works.
    public nonisolated var isUsable: Bool { usable.load(ordering: .acquiring) }

    /// True if the connection is usable, with no call in flight and no open transaction.
    nonisolated var isReusable: Bool { isUsable && !inUse.load(ordering: .acquiring) }

    /// Returns true if the server's end is open, as far as can be known without a round trip.
    func isAlive() -> Bool {
        if let session, session.isAlive() { return true }
        shutDown()
        return false
    }

    /// Closes the connection at once; calls in flight fail with `.connectionLost`.
    public func close() async { shutDown() }

    /// Closes like `close`, without waiting for the connection's queue.
    nonisolated func abandon() {
        usable.store(false, ordering: .releasing)
        executor.queue.async { self.assumeIsolated { $0.shutDown() } }
    }

    func shutDown() {
        usable.store(false, ordering: .releasing)
        guard !isClosed else { return }
        isClosed = true
        session = nil
        wakeAll(.closed)
        observer?(.closed)
    }

    func deliverNotifications(of session: Session) {
        session.takeNotifications { channel, payload in
            observer?(.notification(channel: channel, payload: payload))
        }
    }

    func ownershipChanged() {
        inUse.store(turns.ownership.holder != nil || session?.isIdle != true, ordering: .releasing)
    }
}

extension PostgresConnection {
    public func query(
        _ sql: String, _ parameters: [PostgresParameter] = [], timeout: Duration? = nil
    ) async throws(PostgresError) -> PostgresResult {
        let results = try await pipeline([PostgresStatement(sql, parameters)], timeout: timeout)
        guard let result = results.first else { throw PostgresError(.connectionLost, detail: "no result") }
        return result
    }

    public func pipeline(
        _ statements: [PostgresStatement], timeout: Duration? = nil
    ) async throws(PostgresError) -> [PostgresResult] {
        let deadline = Deadline(timeout ?? settings.queryTimeout)
        try await acquireTurn(.ownership, deadline)
        defer { endTurn(.ownership) }
        return try await run(statements, deadline: deadline)
    }

    public func execute(script: String, timeout: Duration? = nil) async throws(PostgresError) {
        let deadline = Deadline(timeout ?? settings.queryTimeout)
        try await acquireTurn(.ownership, deadline)
        defer { endTurn(.ownership) }
        try await run(script: script, deadline: deadline)
    }

    public func copyOut(
        _ sql: String, timeout: Duration? = nil, row: @escaping @Sendable (inout RowCursor) throws -> Void
    ) async throws(PostgresError) -> Int {
        let deadline = Deadline(timeout ?? settings.queryTimeout, renewing: timeout == nil)
        try await acquireTurn(.ownership, deadline)
        defer { endTurn(.ownership) }
        return try await run(copy: sql, deadline: deadline, row: row)
    }

    public func copyIn(
        _ sql: String, timeout: Duration? = nil, chunks: some Sequence<[UInt8]> & Sendable
    ) async throws(PostgresError) -> Int {
        let deadline = Deadline(timeout ?? settings.queryTimeout, renewing: timeout == nil)
        try await acquireTurn(.ownership, deadline)
        defer { endTurn(.ownership) }
        return try await run(copy: sql, from: chunks, deadline: deadline)
    }
}
