import AuthKeys
import AuthKeysPostgres
import LibPQ
import Logging
import RequestLog
import RequestLogPostgres
import TestSupport

/// A migrated database for tests of the roll-ups.
struct RollupFixture: Sendable {
    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Timeouts for a machine under load.
    private static let unhurried = ConnectionSettings(connectTimeout: .seconds(60), queryTimeout: .seconds(120))

    let connectionString: String

    /// Runs `body` with a database of its own.
    static func with(_ body: @Sendable (RollupFixture) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        try await with(database.connectionString, body)
        try await database.drop()
    }

    /// Runs `body` with a database on a server of its own.
    static func alone(_ body: @Sendable (RollupFixture, TestServer) async throws -> Void) async throws {
        let server = try await TestServer.start()
        try await with(server.connectionString) { try await body($0, server) }
        await server.destroy()
    }

    private static func with(
        _ connectionString: String, _ body: @Sendable (RollupFixture) async throws -> Void
    ) async throws {
        let admin = try await PostgresConnection.connect(
            to: PostgresTarget(connectionString), settings: unhurried, logger: logger)
        try await MigrationRunner(logger: logger).up(on: admin)
        await admin.close()
        try await body(RollupFixture(connectionString: connectionString))
    }

    /// Runs `body` with a recorder that writes through an address of the database.
    func withRecorder(
        at address: String? = nil, instance: String = "gw-1", settings: ConnectionSettings = .init(),
        _ body: @Sendable (TrafficRecorder) async throws -> Void
    ) async throws {
        let pool = PostgresPool(
            target: try PostgresTarget(address ?? connectionString), settings: settings, logger: Self.logger)
        let running = Task { await pool.run() }
        let store = PostgresTrafficStore(pool: pool, instance: instance)
        do {
            try await body(TrafficRecorder(store: store, logger: Self.logger))
        } catch {
            await pool.close()
            throw error
        }
        await pool.close()
        await running.value
    }

    /// Returns the integers of a statement's first row.
    func integers(_ sql: String) async throws -> [Int64] {
        let connection = try await PostgresConnection.connect(
            to: PostgresTarget(connectionString), settings: Self.unhurried, logger: Self.logger)
        let row = try await connection.query(sql).rows.first
        var values: [Int64] = []
        while let value = try? row?.int64(values.count) { values.append(value) }
        await connection.close()
        return values
    }

    /// Returns the requests of all minutes and those of all hours.
    func requests() async throws -> [Int64] {
        try await integers(
            """
            SELECT (SELECT coalesce(sum(requests), 0)::int8 FROM request_minutes),
                (SELECT coalesce(sum(allowed + denied + limited + failed + terminated), 0)::int8 FROM request_hours)
            """)
    }

    /// Returns counts of requests of some keys, one request each.
    static func counts(
        keys: Range<UInt64>, hour: Int64 = 480_000, outcome: RequestOutcome = .allowed, code: String = "",
        microseconds: Int64 = 1_500
    ) -> TrafficCounts {
        TrafficCounts(
            requestsOf: keys.map { KeyID(high: Self.prefix, low: $0) },
            at: Timestamp(microseconds: hour * 3_600_000_000 + 7 * 60_000_000), outcome: outcome, code: code,
            microseconds: microseconds)
    }

    /// The first half of the keys' ids: the bytes of `marker`.
    private static let prefix = marker.utf8.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    static let marker = "keyhours"
}
