import Logging
import Synchronization
import TestSupport
import Testing

@testable import LibPQ

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

func connect(_ settings: ConnectionSettings = .init(), to server: TestServer? = nil) async throws -> PostgresConnection
{
    let shared = try await testServer()
    return try await PostgresConnection.connect(
        to: PostgresTarget(server?.connectionString ?? shared), settings: settings, logger: quiet)
}

/// Runs `body` with its own connection, which is closed afterwards.
func withConnection<R>(
    _ settings: ConnectionSettings = .init(), to server: TestServer? = nil,
    _ body: (PostgresConnection) async throws -> R
) async throws -> R {
    let connection = try await connect(settings, to: server)
    do {
        let value = try await body(connection)
        await connection.close()
        return value
    } catch {
        await connection.close()
        throw error
    }
}

/// Runs `body` with a running pool, which is stopped afterwards.
func withPool<R>(
    _ configuration: PoolConfiguration = .init(), settings: ConnectionSettings = .init(), to server: TestServer? = nil,
    _ body: (PostgresPool) async throws -> R
) async throws -> R {
    let shared = try await testServer()
    let pool = PostgresPool(
        target: try PostgresTarget(server?.connectionString ?? shared), settings: settings,
        configuration: configuration, logger: quiet)
    let running = Task { await pool.run() }
    defer { running.cancel() }
    return try await body(pool)
}

/// Returns the `PostgresError` that `body` throws. Records an issue and returns nil if it throws another error or none.
func postgresError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async -> PostgresError? {
    do {
        try await body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as PostgresError {
        return error
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
    return nil
}

/// Returns a name that no other test uses.
func uniqueName(_ prefix: String) -> String { "\(prefix)_\(UInt64.random(in: 0...UInt64.max))" }

/// Returns the number of active backends whose statement contains `marker`.
func running(_ marker: String, on connection: PostgresConnection) async throws -> Int64 {
    let result = try await connection.query(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE $1",
        [.text("%\(marker)%")])
    return try result.rows[0].int64(0)
}

/// Expects a connection to respond, unless it reports that it is closed.
func expectUsableOrClosed(
    _ connection: PostgresConnection, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    guard connection.isUsable else { return }
    let answer = try await connection.query("SELECT 5::int8").rows[0].int64(0)
    #expect(answer == 5, sourceLocation: sourceLocation)
}

/// A value that several tasks of a test modify.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    func withLock<R>(_ body: (inout Value) -> R) -> R {
        value.withLock { value in
            var copy = value
            defer { value = copy }
            return body(&copy)
        }
    }
}
