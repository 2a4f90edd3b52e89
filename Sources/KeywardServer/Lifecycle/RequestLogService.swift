import AuthKeys
import ControlAPI
import Logging
import RequestLog
import RequestLogPostgres
import ServiceLifecycle
import Synchronization
import UnixSignals

/// A service that writes the request log to the database, and the access log. At shutdown, after the listeners have
/// stopped, it writes the lines that wait, within the drain time.
struct RequestLogService: Service {
    let log: RequestLog
    let accessLog: AccessLog?
    let database: RequestLogDatabase
    let drain: Duration
    let metrics: PrometheusRegistry

    func run() async throws {
        // A thread that writes to a pipe without a reader cannot be interrupted, so its end is awaited only for a time.
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        if let accessLog {
            Task {
                await accessLog.run()
                end.finish()
            }
        } else {
            end.finish()
        }
        await database.run(log, within: drain) { writer in
            observe(writer)
            await cancelWhenGracefulShutdown {
                while (try? await Task.sleep(for: .seconds(1))) != nil { log.tick(at: .now) }
            }
            log.close()
        }
        let timeout = Task {
            try await Task.sleep(for: drain)
            end.finish()
        }
        for await _ in ends {}
        timeout.cancel()
    }

    private func observe(_ writer: RequestLogWriter) {
        let (log, tender) = (log, database.tender)
        metrics.gauge("keyward_request_log_buffered_bytes") { log.rows.map { Double($0.bytes) } }
        metrics.gauge("keyward_request_log_lag_seconds") { writer.lag / .seconds(1) }
        metrics.gauge("keyward_request_log_bytes") { tender?.bytes.map { Double($0) } }
    }
}

/// A service that opens the access log again on SIGUSR1.
struct AccessLogReopening: Service {
    let accessLog: AccessLog

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigusr1)
        await cancelWhenGracefulShutdown {
            for await _ in signals { accessLog.reopen() }
        }
    }
}

/// The name of this instance, which contains the port of the gateway and so is known once the gateway listens.
final class BoundInstanceName: Sendable {
    private let name = Mutex("")

    var text: String { name.withLock { $0 } }

    func set(_ text: String) { name.withLock { $0 = text } }
}
