import AuthKeys
import ControlAPI
import LibPQ
import Logging
import RequestLog
import RequestLogPostgres
import ServiceLifecycle

/// A service that writes the request log to the database. At shutdown, after the listeners have stopped, it writes the
/// lines that wait, within the drain time.
struct RequestLogService: Service {
    private let log: RequestLog
    private let database: RequestLogDatabase
    private let drain: Duration

    /// - Parameters:
    ///   - isPooled: true if the database URL leads to a transaction pooler.
    ///   - instance: the name of this instance in lines.
    init(
        log: RequestLog, settings: RequestLogSettings, database: Database, isPooled: Bool, instance: String,
        drain: Duration, logger: Logger
    ) {
        self.log = log
        self.drain = drain
        self.database = RequestLogDatabase(
            log: log, target: database.target, isPooled: isPooled, instance: instance, retention: settings.retention,
            writers: settings.writers, logger: logger)
    }

    func run() async throws {
        let (log, database) = (log, database)
        // It ends after the log was closed, and not when shutdown begins.
        let writing = Task { await database.run() }
        await withTaskCancellationHandler {
            await cancelWhenGracefulShutdown {
                while (try? await Task.sleep(for: .seconds(1))) != nil { log.tick(at: .now) }
            }
            log.close()
            let limit = Task { [drain] in
                try await Task.sleep(for: drain)
                writing.cancel()
            }
            await writing.value
            limit.cancel()
        } onCancel: {
            writing.cancel()
        }
    }

    func observe(in metrics: PrometheusRegistry) {
        let (log, database) = (log, database)
        metrics.gauge("keyward_request_log_buffered_bytes") { log.rows.map { Double($0.bytes) } }
        metrics.gauge("keyward_request_log_lag_seconds") { database.writer.lag / .seconds(1) }
        metrics.gauge("keyward_request_log_bytes") { database.tender.bytes.map { Double($0) } }
    }
}
