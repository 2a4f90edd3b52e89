public import LibPQ
public import Logging
public import RequestLog

/// The components that keep a log and its roll-ups in PostgreSQL: connections of their own, writers, and the tender of
/// the partitions.
public struct RequestLogDatabase: Sendable {
    /// The timeout of a statement, and of each part of a COPY.
    private static let timeout = Duration.seconds(10)

    /// Receives the counts of all requests.
    public let traffic: TrafficRecorder
    /// Nil if the role must not tend the partitions.
    public let tender: RequestLogTender?
    private let pool: PostgresPool
    private let instance: @Sendable () -> String
    private let retention: RequestLogRetention
    private let writers: Int
    private let logger: Logger

    /// Creates the components. They connect only in `run`.
    /// - Parameters:
    ///   - isPooled: true if `target` is a transaction pooler.
    ///   - instance: the name of this instance in lines and roll-ups. Evaluated when `run` has begun.
    ///   - writers: the number of writers, each with a connection.
    ///   - tends: true to make partitions, and to delete what exceeds the limits.
    public init(
        target: PostgresTarget, isPooled: Bool, instance: @autoclosure @escaping @Sendable () -> String,
        retention: RequestLogRetention = RequestLogRetention(), writers: Int = 1, tends: Bool = true, logger: Logger
    ) {
        // The writer logs once that the database is away, so the pool logs nothing.
        let silent = Logger(label: logger.label, factory: { _ in SwiftLogNoOpLogHandler() })
        pool = PostgresPool(
            target: target, settings: ConnectionSettings(queryTimeout: Self.timeout, isPooled: isPooled),
            // One more for roll-ups and the tender.
            configuration: PoolConfiguration(maximumConnections: writers + 1, acquireTimeout: Self.timeout),
            logger: silent)
        traffic = TrafficRecorder(store: PostgresTrafficStore(pool: pool, instance: instance()), logger: logger)
        tender = tends ? RequestLogTender(pool: pool, retention: retention, logger: logger) : nil
        self.instance = instance
        self.retention = retention
        self.writers = writers
        self.logger = logger
    }

    /// Writes a log and its roll-ups while `body` runs, and then what is left, for at most the given time each. The
    /// rest is dropped and counted.
    /// - Parameter body: gets the writer. Must close the log before it returns, after all of its loggers.
    public func run(_ log: RequestLog, within limit: Duration, _ body: (RequestLogWriter) async -> Void) async {
        let writer = RequestLogWriter(
            log: log, pool: pool, instance: instance(), retention: retention, tender: tender, writers: writers,
            logger: logger)
        let connections = Task { await pool.run() }
        let tending = Task { await tender?.run() }
        let counting = Task { await traffic.run() }
        let writing = Task { await writer.run() }
        await body(writer)
        let timeout = Task {
            try await Task.sleep(for: limit)
            writing.cancel()
        }
        tending.cancel()
        counting.cancel()
        await counting.value
        await traffic.close(within: limit)
        await writing.value
        timeout.cancel()
        await pool.close()
        await tending.value
        await connections.value
    }
}
