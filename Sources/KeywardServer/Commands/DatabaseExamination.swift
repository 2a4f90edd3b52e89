import AuthKeys
import AuthKeysPostgres
import EmbeddedPostgres
import Glibc
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import Logging

/// The database checks of `keyward doctor`.
struct DatabaseExamination {
    let settings: Settings
    private let logger = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }

    /// The largest accepted difference between the database's clock and this machine's. This machine's clock decides
    /// expiry.
    private static let clockTolerance = Duration.seconds(2)

    init(_ settings: Settings) {
        self.settings = settings
    }

    func run(_ report: inout DoctorReport) async {
        guard settings.database != nil else { return await examinePrivate(&report) }
        do {
            let database = try await Database.open(settings, logger: logger)
            let connection = try await database.connect(waiting: .zero, logger: logger)
            do {
                try await examine(connection, of: database, &report)
                await connection.close()
            } catch {
                await connection.close()
                throw error
            }
        } catch {
            report.fail("database", "\(error)")
        }
    }

    private func examinePrivate(_ report: inout DoctorReport) async {
        do throws(EmbeddedPostgresError) {
            let found = try await EmbeddedPostgres.examine(settings.privatePostgres)
            let state = found.isInUse ? "in use by a running Keyward" : "started by serve"
            report.pass(
                "database",
                "a private PostgreSQL \(found.version) (\(found.binaries)) in \(settings.dataDirectory), as user \(found.user), \(state)"
            )
        } catch {
            report.fail("database", "\(error)")
        }
        checkAdminKeyFile(&report)
        report.pass("migrations", "serve applies them at start")
        report.pass("clock", "the database runs on this machine")
    }

    /// Checks the file with the admin key, which `serve` reads or creates if the PostgreSQL is private.
    private func checkAdminKeyFile(_ report: inout DoctorReport) {
        if let warning = SecretFile.inspectFolder(settings.dataDirectory) { report.warn("secrets", warning) }
        let path = settings.dataDirectory + "/admin-key"
        guard settings.adminKey == nil, access(path, F_OK) == 0 else { return }
        do {
            let (key, warning) = try AdminKeyFile.read(path)
            if let warning { report.warn("secrets", warning) }
            if BootstrapKey(key) == nil {
                report.fail(
                    "admin key",
                    "\(path) holds \(key.utf8.count) bytes: an admin key has \(BootstrapKey.rule)")
            }
        } catch {
            report.fail("admin key", "\(error)")
        }
    }

    private func examine(
        _ connection: PostgresConnection, of database: Database, _ report: inout DoctorReport
    ) async throws {
        let before = Timestamp.now
        let result = try await connection.query("SELECT clock_timestamp(), current_setting('server_version')")
        let after = Timestamp.now
        guard let row = result.rows.first else { return }
        let problems = try await database.problems(waiting: .zero, logger: logger)
        for problem in problems { report.fail("database", problem) }
        if problems.isEmpty { report.pass("database", "\(database.direct), PostgreSQL \(try row.text(1))") }
        checkClock(Timestamp(microseconds: try row.timestamp(0)), between: before, and: after, &report)
        await checkMigrations(connection, &report)
        try await checkSchema(connection, &report)
        if settings.adminKey == nil { try await checkAdministrators(connection, &report) }
    }

    private func checkMigrations(_ connection: PostgresConnection, _ report: inout DoctorReport) async {
        do {
            let (applied, plan) = try await MigrationRunner(logger: logger).status(on: connection)
            report.pass(
                "migrations",
                "\(applied.count) applied, \(plan.pending.count) pending, \(plan.newer.count) of a newer build")
            if plan.pending.isEmpty {
                try await checkTables(connection, &report)
                try await InstanceExamination().run(on: connection, &report)
                try await RequestLogExamination(settings: settings.requestLog).run(on: connection, &report)
            } else {
                try await checkCreation(connection, &report)
            }
        } catch {
            report.fail("migrations", "\(error)")
        }
    }

    /// Checks, if no admin key is set, that the database holds an active one with the permission `admin`.
    private func checkAdministrators(_ connection: PostgresConnection, _ report: inout DoctorReport) async throws {
        if try await AdminKeyCheck.canAdminister(on: connection) {
            report.pass("admin key", "it is not set, but the database holds an active one with the permission admin")
        } else {
            report.fail("admin key", "\(SettingsError.adminKeyRequired)")
        }
    }

    private func checkCreation(_ connection: PostgresConnection, _ report: inout DoctorReport) async throws {
        let result = try await connection.query(
            "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), coalesce(current_schema(), '')")
        guard let row = result.rows.first, case let schema = try row.text(1), !schema.isEmpty else { return }
        if try row.bool(0) {
            report.pass("rights", "the role may create tables in schema \(schema)")
        } else {
            report.fail(
                "rights",
                "the role may not create tables in schema \(schema): GRANT CREATE ON SCHEMA \(schema) to the role that migrates"
            )
        }
    }

    private func checkTables(_ connection: PostgresConnection, _ report: inout DoctorReport) async throws {
        let missing = try await MissingRight.all(.serve, on: connection)
        guard !missing.isEmpty else { return report.pass("rights", "the role may read and write the tables") }
        report.fail(
            "rights",
            "the role lacks \(missing.map(\.text).joined(separator: ", ")): run 'keyward migrate grants ROLE --apply' as the owner"
        )
    }

    /// Checks that not every role may create functions in the schema of the tables: PostgreSQL could call such a
    /// function instead of its own.
    private func checkSchema(_ connection: PostgresConnection, _ report: inout DoctorReport) async throws {
        let result = try await connection.query(
            """
            SELECT n.nspname::text FROM pg_namespace n, aclexplode(n.nspacl) a
            WHERE n.nspname = ANY (current_schemas(false)) AND a.grantee = 0 AND a.privilege_type = 'CREATE'
            """)
        guard let row = result.rows.first else { return report.pass("schema", "PUBLIC may not create in it") }
        let schema = try row.text(0)
        report.fail(
            "schema",
            "every role may create functions in schema \(schema), which Keyward could then run: REVOKE CREATE ON SCHEMA \(schema) FROM PUBLIC"
        )
    }

    private func checkClock(
        _ theirs: Timestamp, between before: Timestamp, and after: Timestamp, _ report: inout DoctorReport
    ) {
        let tolerance = Int64(Self.clockTolerance / .microseconds(1))
        let ahead = max(0, theirs.microseconds - after.microseconds, before.microseconds - theirs.microseconds)
        if ahead <= tolerance {
            report.pass("clock", "within 2 s of the database's clock")
        } else {
            report.fail("clock", "\(ahead / 1_000) ms from the database's clock: keys would expire at the wrong time")
        }
    }
}
