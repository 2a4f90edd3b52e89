import AuthKeys
import AuthKeysPostgres
import HTTPCredentials
import LibPQ
import Logging
import RequestLog
import TestSupport

@testable import RequestLogPostgres

/// A migrated database with a connection for manual statements.
struct LogFixture: Sendable {
    let connectionString: String
    let target: PostgresTarget
    let admin: PostgresConnection

    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `body` with a new database of the shared server.
    static func with(_ body: @Sendable (LogFixture) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        try await with(database.connectionString, body)
        try await database.drop()
    }

    /// Runs `body` with a server of its own.
    static func alone(_ body: @Sendable (LogFixture, TestServer) async throws -> Void) async throws {
        let server = try await TestServer.start()
        try await with(server.connectionString) { try await body($0, server) }
        await server.destroy()
    }

    static func with(_ connectionString: String, _ body: @Sendable (LogFixture) async throws -> Void) async throws {
        let target = try PostgresTarget(connectionString)
        let admin = try await PostgresConnection.connect(to: target, logger: silent)
        try await MigrationRunner(logger: silent).up(on: admin)
        try await body(LogFixture(connectionString: connectionString, target: target, admin: admin))
        await admin.close()
    }

    /// Runs `body` with a pool.
    func withPool(
        _ other: PostgresTarget? = nil, settings: ConnectionSettings = ConnectionSettings(queryTimeout: .seconds(10)),
        connections: Int = 1, _ body: @Sendable (PostgresPool) async throws -> Void
    ) async throws {
        let pool = PostgresPool(
            target: other ?? target, settings: settings,
            configuration: PoolConfiguration(maximumConnections: connections), logger: Self.silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            let result: Result<Void, any Error>
            do { result = .success(try await body(pool)) } catch { result = .failure(error) }
            await pool.close()
            try await group.waitForAll()
            try result.get()
        }
    }

    /// Runs writers, and after `body` closes the log and waits until everything is written.
    func writing(
        _ log: RequestLog, as role: PostgresTarget? = nil, retention: RequestLogRetention = RequestLogRetention(),
        tends: Bool = true, settings: ConnectionSettings = ConnectionSettings(queryTimeout: .seconds(10)),
        writers: Int = 1, logger: Logger = silent, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withPool(role, settings: settings, connections: writers) { pool in
            let tender = RequestLogTender(pool: pool, retention: retention, logger: logger)
            let writer = RequestLogWriter(
                log: log, pool: pool, instance: "test:1", retention: retention, tender: tends ? tender : nil,
                writers: writers, logger: logger)
            let running = Task { await writer.run() }
            do {
                try await body()
            } catch {
                running.cancel()
                throw error
            }
            log.close()
            await running.value
        }
    }

    /// Calls the function once, without limits unless they are given.
    func tend(_ arguments: String = "2, 0, 0") async throws {
        try await admin.execute(script: "SELECT request_log_tend(\(arguments))")
    }

    /// Runs a query and returns its rows, columns separated by `|`.
    func sql(_ statements: String...) async throws -> String {
        var text = ""
        for statement in statements { text = try await Psql.run(statement, on: connectionString) }
        return text
    }

    /// The names of the partitions, without their common beginning, in order.
    func partitions() async throws -> [String] {
        try await sql(
            """
            SELECT right(relname, 8) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
            WHERE inhparent = 'request_log'::regclass AND relkind = 'r' ORDER BY relname
            """
        ).split(separator: "\n").map(String.init)
    }

    /// Returns the names of days relative to the current one of UTC, as in `partitions`.
    func days(_ offsets: ClosedRange<Int>) async throws -> [String] {
        try await sql(
            """
            SELECT to_char((now() AT TIME ZONE 'UTC')::date + n, 'YYYYMMDD')
            FROM generate_series(\(offsets.lowerBound), \(offsets.upperBound)) n
            """
        ).split(separator: "\n").map(String.init)
    }

    /// Adds the partition of a past or future day, with so many lines.
    func addPartition(day offset: Int, lines: Int = 0) async throws {
        try await admin.execute(
            script: """
                DO $$
                DECLARE
                    day timestamptz := date_trunc('day', now(), 'UTC') + \(offset) * interval '24 hours';
                BEGIN
                    SET LOCAL TimeZone = 'UTC';
                    EXECUTE format('CREATE TABLE %I PARTITION OF request_log FOR VALUES FROM (%L) TO (%L)',
                        'request_log_' || to_char(day, 'YYYYMMDD'), day, day + interval '24 hours');
                    \(Self.insertion("day", lines: lines));
                END
                $$
                """)
    }

    /// Returns a statement that adds lines at a time.
    static func insertion(_ time: String, lines: Int) -> String {
        """
        INSERT INTO request_log (at, bytes_in, bytes_out, micros, id, instance, status, surface, outcome, flags, method, path)
        SELECT \(time), 0, 0, 0, gen_random_uuid(), 1, 200, 1, 1, 0, 'GET', repeat('p', 400)
        FROM generate_series(1, \(lines))
        """
    }

    func count(_ condition: String = "true") async throws -> Int {
        Int(try await sql("SELECT count(*) FROM request_log WHERE \(condition)")) ?? -1
    }
}

/// A source of lines with distinct identifiers.
struct LineSource {
    private var ids = RequestIDSource()

    mutating func next(at time: Timestamp = .now, path: String = "/v1/reports") -> SentLine {
        SentLine(at: time, id: ids.next(at: time), path: path)
    }
}

extension RequestLog {
    /// Adds lines whose paths are `/<prefix><number>`, and hands them over.
    func note(_ numbers: Range<Int>, prefix: String = "", at time: Timestamp = .now) {
        var source = LineSource()
        for number in numbers { source.next(at: time, path: "/\(prefix)\(number)").with { note($0) } }
        tick(at: time.advanced(by: .seconds(2)))
    }
}

extension LogLines {
    /// A logger whose lines the test reads.
    var log: Logger { Logger(label: "test") { _ in handler } }
}
