public import LibPQ
public import Logging

/// Migrates a database to the current schema. Any number of instances may run it at once: an advisory lock lets one
/// work while the others wait. An instance without pending migrations takes no lock.
///
/// It needs its own direct connection to PostgreSQL: an advisory lock belongs to a session, which a transaction pooler
/// does not keep.
public struct MigrationRunner: Sendable {
    /// The key of `pg_advisory_lock` ("keyward" as a number).
    private static let lockKey: Int64 = 0x6B65_7977_6172_64

    /// The timeout of one migration, independent of the connection's query timeout: it may build indexes over all keys.
    private static let timeout = Duration.seconds(6 * 3_600)

    /// The maximum number of attempts of a migration that loses a deadlock (40P01) or a lock to `lock_timeout` (55P03).
    private static let attempts = 3

    /// The time limit for acquiring a migration's locks. Each attempt is its own transaction and waits at most 0.2 s,
    /// so that other sessions do not queue behind it for long. Between attempts nothing blocks the feed or the sealing
    /// of the trail.
    private static let lockTimeout = Duration.seconds(600)

    private let migrations: [Migration]
    private let lockAttempts: Int
    private let logger: Logger

    /// - Parameter lockAttempts: the maximum number of attempts to acquire the advisory lock, 0.25 s apart.
    public init(migrations: [Migration] = MigrationCatalogue.all, lockAttempts: Int = 240, logger: Logger) {
        self.migrations = migrations
        self.lockAttempts = lockAttempts
        self.logger = logger
    }

    /// Returns the applied migrations and the plan.
    public func status(
        on connection: PostgresConnection
    ) async throws(MigrationError) -> (applied: [AppliedMigration], plan: MigrationPlan) {
        let applied = try await applied(on: connection)
        return (applied, try MigrationPlan(available: migrations, applied: applied))
    }

    /// Applies the pending migrations, and returns them.
    @discardableResult
    public func up(on connection: PostgresConnection) async throws(MigrationError) -> [Migration] {
        let plan = try await status(on: connection).plan
        warn(of: plan.newer)
        if plan.pending.isEmpty { return [] }
        try await lock(connection)
        do throws(MigrationError) {
            let pending = try await status(on: connection).plan.pending
            for migration in pending { try await apply(migration, on: connection) }
            await unlock(connection)
            return pending
        } catch {
            await unlock(connection)
            throw error
        }
    }

    private func apply(_ migration: Migration, on connection: PostgresConnection) async throws(MigrationError) {
        var attempt = 1
        let lastAttempt = ContinuousClock.now + Self.lockTimeout
        while true {
            do {
                try await carryOut(migration, on: connection)
                break
            } catch let error as PostgresError where !error.isUnavailable {
                if migration.locks != nil, error.sqlState == .lockNotAvailable, .now < lastAttempt {
                    try? await Task.sleep(for: .milliseconds(.random(in: 100...200)))
                    continue
                }
                guard attempt < Self.attempts, [.deadlockDetected, .lockNotAvailable].contains(error.sqlState) else {
                    throw .failed(migration.version, migration.name, reason: error.debugDescription)
                }
                attempt += 1
            } catch {
                throw .database(reason: "\(error)")
            }
        }
        logger.info(
            "migration applied",
            metadata: ["version": .stringConvertible(migration.version), "migration": "\(migration.name)"])
    }

    /// Runs the migration and records it, in one transaction. The session has no statement timeout on the server.
    private func carryOut(_ migration: Migration, on connection: PostgresConnection) async throws {
        let start = ContinuousClock.now
        try await connection.transaction { transaction in
            if let locks = migration.locks {
                try await transaction.execute(script: "SET LOCAL lock_timeout = '200ms'; \(locks)")
            }
            try await transaction.execute(script: migration.sql, timeout: Self.timeout)
            let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
            _ = try await transaction.query(
                """
                INSERT INTO keyward_migrations (version, name, sha256, milliseconds) VALUES ($1, $2, $3, $4)
                """,
                [
                    .int32(migration.version), .text(migration.name), .bytes(migration.checksum),
                    .int64(Int64(milliseconds)),
                ])
        }
    }

    private func applied(on connection: PostgresConnection) async throws(MigrationError) -> [AppliedMigration] {
        do {
            let exists = try await connection.query("SELECT to_regclass('keyward_migrations') IS NOT NULL")
            guard let row = exists.rows.first, try row.bool(0) else { return [] }
            let result = try await connection.query(
                "SELECT version, name, sha256, \(Self.rfc3339("applied_at")), milliseconds FROM keyward_migrations ORDER BY version"
            )
            return try result.rows.map { row in
                AppliedMigration(
                    version: try row.int32(0), name: try row.text(1), checksum: try row.bytes(2),
                    appliedAt: try row.text(3), milliseconds: try row.int64(4))
            }
        } catch {
            throw .database(reason: "\(error)")
        }
    }

    private func lock(_ connection: PostgresConnection) async throws(MigrationError) {
        do {
            for attempt in 1...max(1, lockAttempts) {
                let result = try await connection.query("SELECT pg_try_advisory_lock($1)", [.int64(Self.lockKey)])
                if let row = result.rows.first, try row.bool(0) {
                    try await connection.execute(
                        script: """
                            CREATE TABLE IF NOT EXISTS keyward_migrations (
                                version integer PRIMARY KEY,
                                name text NOT NULL,
                                sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
                                applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                                milliseconds bigint NOT NULL
                            )
                            """)
                    return
                }
                if attempt % 40 == 1 {
                    let holder = try await holder(on: connection).map { "\($0)" } ?? "unknown"
                    logger.info(
                        "waiting for another instance that is migrating",
                        metadata: ["held_by_pid": .stringConvertible(holder)])
                }
                try await Task.sleep(for: .milliseconds(250))
            }
        } catch let error as PostgresError where error.sqlState == .insufficientPrivilege {
            await unlock(connection)
            throw .denied
        } catch {
            throw .database(reason: "\(error)")
        }
        throw .locked
    }

    /// Returns the process id of the server process that holds the lock.
    private func holder(on connection: PostgresConnection) async throws(PostgresError) -> Int32? {
        try await connection.query(
            """
            SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
                AND classid::int8 << 32 | objid::int8 = $1
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """,
            [.int64(Self.lockKey)]
        ).rows.first?.int32(0)
    }

    /// Releases the lock. If that fails, closes the connection, which also releases it.
    private func unlock(_ connection: PostgresConnection) async {
        do {
            _ = try await connection.query("SELECT pg_advisory_unlock($1)", [.int64(Self.lockKey)])
        } catch {
            await connection.close()
        }
    }

    private func warn(of newer: [AppliedMigration]) {
        for migration in newer {
            logger.warning(
                "the database has a migration of a newer build",
                metadata: ["version": .stringConvertible(migration.version), "migration": "\(migration.name)"])
        }
    }

    private static func rfc3339(_ column: String) -> String {
        "to_char(\(column) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    }
}
