/// Bounds on what one connection waits for.
public struct ConnectionSettings: Sendable {
    /// How long connecting may take, name resolution and authentication included. A shorter `connect_timeout` of the
    /// target wins.
    public var connectTimeout: Duration

    /// How long a call that names no timeout waits, its turn on the connection included. Then the statement is
    /// cancelled, and if that brings no answer within half a second the connection is closed.
    public var queryTimeout: Duration

    /// How many statements stay prepared on a connection; the least recently used goes first.
    public var preparedStatements: Int

    /// The connection leads to a transaction pooler, where the next transaction may be on another server connection: no
    /// statement is prepared, and each transaction begins with the session's settings.
    public var isPooled: Bool

    /// Bounds that suit short statements; what is left out keeps its default.
    public init(
        connectTimeout: Duration = .seconds(5),
        queryTimeout: Duration = .seconds(30),
        preparedStatements: Int = 128,
        isPooled: Bool = false
    ) {
        self.connectTimeout = connectTimeout
        self.queryTimeout = queryTimeout
        self.preparedStatements = preparedStatements
        self.isPooled = isPooled
    }
}
