/// How many connections a pool keeps, and for how long.
public struct PoolConfiguration: Sendable {
    /// The most connections open at a time.
    public var maximumConnections: Int
    /// How long a call waits for a connection.
    public var acquireTimeout: Duration
    /// How long a connection is kept without being used.
    public var idleTimeout: Duration
    /// How old a connection grows before it is replaced, once it is free.
    public var maximumLifetime: Duration

    /// What is left out keeps its default: 8 connections, waits of 5 s, a minute of idleness, half an hour of life.
    public init(
        maximumConnections: Int = 8,
        acquireTimeout: Duration = .seconds(5),
        idleTimeout: Duration = .seconds(60),
        maximumLifetime: Duration = .seconds(30 * 60)
    ) {
        self.maximumConnections = maximumConnections
        self.acquireTimeout = acquireTimeout
        self.idleTimeout = idleTimeout
        self.maximumLifetime = maximumLifetime
    }
}

/// What a pool holds at a moment, and what it has done since it was made.
public struct PoolStatistics: Hashable, Sendable {
    /// Connections free to be lent.
    public var idle: Int
    /// Connections lent.
    public var leased: Int
    /// Connections being made.
    public var connecting: Int
    /// Calls waiting for a connection.
    public var waiting: Int
    /// The most connections open at a time.
    public var maximum: Int
    /// Connections made since the start.
    public var totalOpened: Int
    /// Attempts to connect that failed since the start.
    public var totalFailures: Int
}
