import AuthKeys
import AuthKeysPostgres
import EmbeddedPostgres
import Glibc
import LibPQ
import Logging

/// Measures the seconds to load keys from PostgreSQL into the index.
enum LoadBenchmark {
    private static let rounds = 3

    static func run(_ count: Int) async throws {
        let logger = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
        let folder = "/tmp/keyward-benchmark-\(getpid())"
        let server = try await EmbeddedPostgres.start(
            EmbeddedPostgresConfiguration(directory: folder, settings: ["fsync": "off", "max_wal_size": "8GB"]),
            logger: logger)
        do {
            try await measure(count, on: try PostgresTarget(server.connectionString), logger)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
        print("(the database remains in \(folder))")
    }

    private static func measure(_ count: Int, on target: PostgresTarget, _ logger: Logger) async throws {
        let connection = try await PostgresConnection.connect(to: target, logger: logger)
        try await MigrationRunner(logger: logger).up(on: connection)
        for statement in [
            """
            INSERT INTO auth_keys (id, name, created_at)
            SELECT gen_random_uuid(), 'customer ' || n, now() - n * interval '1 ms' FROM generate_series(1, \(count)) n
            """,
            "INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four) SELECT sha256(id::text::bytea), id, 'kw', '0000' FROM auth_keys",
            "VACUUM ANALYZE",
        ] {
            try await connection.execute(script: statement, timeout: .seconds(600))
        }
        await connection.close()
        let pool = PostgresPool(target: target, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            for round in 1...rounds {
                let index = KeyIndex()
                let feed = PostgresKeyFeed(pool: pool, logger: logger)
                let start = ContinuousClock.now
                let batch = try await feed.changes(since: nil) { index.apply($0) }
                let seconds = (ContinuousClock.now - start) / .seconds(1)
                print(
                    "round \(round): \(batch.count) keys in \(rounded(seconds, 2)) s, \(rounded(Double(index.memory) / Double(count), 1)) bytes per key"
                )
            }
            await pool.close()
            group.cancelAll()
        }
    }
}
