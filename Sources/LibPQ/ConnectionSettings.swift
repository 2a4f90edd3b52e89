/// Bounds on what one connection waits for.
public struct ConnectionSettings: Sendable {
    /// How long connecting may take, name resolution and authentication included. A shorter `connect_timeout` of the
    /// target wins.
    public var connectTimeout: Duration

    /// The server's own bound on a statement (`statement_timeout`); nil leaves the server's setting alone.
    public var statementTimeout: Duration?

    /// How long a call that names no timeout waits, its turn on the connection included. Then the statement is
    /// cancelled, and if that brings no answer within half a second the connection is closed.
    public var queryTimeout: Duration

    /// How many statements stay prepared on a connection; the least recently used goes first. 0 prepares none, for a
    /// connection that goes through a transaction pooler: there the next transaction may be on another server connection.
    public var preparedStatements: Int

    /// Bounds that suit short statements; what is left out keeps its default.
    public init(
        connectTimeout: Duration = .seconds(5),
        statementTimeout: Duration? = nil,
        queryTimeout: Duration = .seconds(30),
        preparedStatements: Int = 128
    ) {
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.queryTimeout = queryTimeout
        self.preparedStatements = preparedStatements
    }
}
