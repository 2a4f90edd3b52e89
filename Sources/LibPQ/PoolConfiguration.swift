/// The limits and timeouts of a connection pool.
public struct PoolConfiguration: Sendable {
    /// The maximum number of open connections.
    public var maximumConnections: Int
    /// The timeout of waiting for a connection.
    public var acquireTimeout: Duration
    /// The time after which an idle connection is closed.
    public var idleTimeout: Duration
    /// The age at which a connection is replaced, once it is idle.
    public var maximumLifetime: Duration

    /// Creates a configuration. Defaults: 8 connections, an acquire timeout of 5 s, an idle timeout of a minute, a
    /// lifetime of half an hour.
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

/// Counts of a pool's connections and waiting calls, and totals since its creation.
public struct PoolStatistics: Hashable, Sendable {
    /// Connections that are idle.
    public var idle: Int
    /// Connections that are leased to callers.
    public var leased: Int
    /// Connections that are being opened.
    public var connecting: Int
    /// Calls that wait for a connection.
    public var waiting: Int
    /// The maximum number of open connections.
    public var maximum: Int
    /// Connections opened since the start.
    public var totalOpened: Int
    /// Connection attempts that failed since the start.
    public var totalFailures: Int
}
