public import LibPQ
public import Logging
public import RequestLog

/// The components that keep a log in PostgreSQL: connections of their own, writers, and the tender of the partitions.
public struct RequestLogDatabase: Sendable {
    /// The timeout of a statement, and of each part of a COPY.
    private static let timeout = Duration.seconds(10)

    public let writer: RequestLogWriter
    public let tender: RequestLogTender
    private let pool: PostgresPool

    /// Creates the components. They connect only in `run`.
    /// - Parameters:
    ///   - isPooled: true if `target` is a transaction pooler.
    ///   - instance: the name of this instance in lines.
    ///   - writers: the number of writers, each with a connection.
    public init(
        log: RequestLog, target: PostgresTarget, isPooled: Bool, instance: String, retention: RequestLogRetention,
        writers: Int = 1, logger: Logger
    ) {
        // The writer logs once that the database is away, so the pool logs nothing.
        let silent = Logger(label: logger.label, factory: { _ in SwiftLogNoOpLogHandler() })
        pool = PostgresPool(
            target: target, settings: ConnectionSettings(queryTimeout: Self.timeout, isPooled: isPooled),
            configuration: PoolConfiguration(maximumConnections: writers, acquireTimeout: Self.timeout), logger: silent)
        tender = RequestLogTender(pool: pool, retention: retention, logger: logger)
        writer = RequestLogWriter(
            log: log, pool: pool, instance: instance, retention: retention, tender: tender, writers: writers,
            logger: logger)
    }

    /// Writes until the log is closed and everything is written. After a cancellation, the rest is dropped and counted.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            group.addTask { await tender.run() }
            // In the task of the caller: the other tasks end after it.
            await writer.run()
            await pool.close()
            group.cancelAll()
        }
    }
}
