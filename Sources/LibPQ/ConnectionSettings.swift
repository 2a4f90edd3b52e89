/// Timeouts and limits of one connection.
public struct ConnectionSettings: Sendable {
    /// The timeout of connecting, including name resolution and authentication. A shorter `connect_timeout` of the
    /// target takes precedence.
    public var connectTimeout: Duration

    /// The timeout of a call that names none, including the wait for its turn on the connection. Then the statement is
    /// cancelled. If no result follows within half a second, the connection is closed.
    public var queryTimeout: Duration

    /// The maximum number of prepared statements on a connection. The least recently used one is evicted first.
    public var preparedStatements: Int

    /// True if the connection leads to a transaction pooler, where each transaction may run on another server
    /// connection. Then no statement is prepared, and each transaction begins with the session's settings.
    public var isPooled: Bool

    /// Creates settings that suit short statements; parameters that are left out have their default.
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
