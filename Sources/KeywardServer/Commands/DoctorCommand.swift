import ArgumentParser
import AsyncHTTPClient
import AuthKeys
import AuthKeysPostgres
import Gateway
import LibPQ
import Logging
import NIOCore
import NIOPosix

/// `keyward doctor`: one line a check.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check settings, database, migrations, ports and clock, before or beside a running Keyward.")

    @OptionGroup var options: SettingsOptions

    /// How far the database's clock may be from ours: expiry is compared with ours.
    private static let clockTolerance = Duration.seconds(2)

    func run() async throws {
        var report = Report()
        let settings: Settings
        do {
            settings = try Settings(try options.source())
            report.pass("settings", "all valid")
        } catch {
            report.fail("settings", "\(error)")
            return try await Console.failing { try report.finish() }
        }
        await checkDatabase(settings, &report)
        let isRunning = await Self.isKeyward(settings.control)
        await checkPort(
            ListenAddress(host: settings.gateway.host, port: settings.gateway.port), "gateway port", isRunning, &report)
        await checkPort(settings.control, "control port", isRunning, &report)
        try await Console.failing { try report.finish() }
    }

    private struct Report {
        private var hasFailure = false
        /// Nil while every line could be written.
        private var outputError: StartError?

        mutating func pass(_ check: String, _ detail: String) {
            write("ok    \(check): \(detail)")
        }

        mutating func fail(_ check: String, _ detail: String) {
            hasFailure = true
            write("FAIL  \(check): \(detail)")
        }

        private mutating func write(_ line: String) {
            guard outputError == nil else { return }
            do { try Console.out(line) } catch { outputError = error }
        }

        /// Throws when a line could not be written or a check failed.
        func finish() throws {
            if let outputError { throw outputError }
            if hasFailure { throw ExitCode.failure }
        }
    }

    private func checkDatabase(_ settings: Settings, _ report: inout Report) async {
        guard settings.database != nil else {
            report.pass("database", "a private PostgreSQL in \(settings.dataDirectory), started with serve")
            report.pass("migrations", "serve applies them at start")
            report.pass("clock", "the database's is this machine's")
            return
        }
        let logger = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        do {
            let database = try await Database.open(settings, logger: logger)
            let connection = try await database.connect(waiting: .zero, logger: logger)
            let before = Timestamp.now
            let result = try await connection.query("SELECT clock_timestamp(), current_setting('server_version')")
            let after = Timestamp.now
            if let row = result.rows.first {
                report.pass("database", "\(database.direct), PostgreSQL \(try row.text(1))")
                checkClock(Timestamp(microseconds: try row.timestamp(0)), between: before, and: after, &report)
            }
            await checkMigrations(connection, logger, &report)
            try await checkSchema(connection, &report)
            if settings.adminKey == nil { try await checkAdministrators(connection, &report) }
            await connection.close()
        } catch {
            report.fail("database", "\(error)")
        }
    }

    private func checkMigrations(_ connection: PostgresConnection, _ logger: Logger, _ report: inout Report) async {
        do {
            let (applied, plan) = try await MigrationRunner(logger: logger).status(on: connection)
            report.pass(
                "migrations",
                "\(applied.count) applied, \(plan.pending.count) pending, \(plan.newer.count) of a newer build")
            if !plan.pending.isEmpty { try await checkRights(connection, &report) }
        } catch {
            report.fail("migrations", "\(error)")
        }
    }

    /// Without a key of the operator's, the database has to hold one with which admin keys can be administered.
    private func checkAdministrators(_ connection: PostgresConnection, _ report: inout Report) async throws {
        if try await AdminKeyCheck.canAdminister(on: connection) {
            report.pass("admin key", "none is set, and the database holds an active one with the permission admin")
        } else {
            report.fail(
                "admin key",
                "\(Setting.adminKey.environment) (or --admin-key-file) is required, since the database holds no active admin "
                    + "key with the permission admin")
        }
    }

    private func checkRights(_ connection: PostgresConnection, _ report: inout Report) async throws {
        let result = try await connection.query(
            "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false), coalesce(current_schema(), '')")
        guard let row = result.rows.first else { return }
        let schema = try row.text(1)
        if try row.bool(0) {
            report.pass("rights", "tables can be made in schema \(schema)")
        } else {
            report.fail("rights", "no table can be made: GRANT CREATE ON SCHEMA \(schema) to the role that migrates")
        }
    }

    /// Who makes functions where the tables are can have them called instead of PostgreSQL's.
    private func checkSchema(_ connection: PostgresConnection, _ report: inout Report) async throws {
        let result = try await connection.query(
            """
            SELECT n.nspname::text FROM pg_namespace n, aclexplode(n.nspacl) a
            WHERE n.nspname = ANY (current_schemas(false)) AND a.grantee = 0 AND a.privilege_type = 'CREATE'
            """)
        guard let row = result.rows.first else { return report.pass("schema", "not everybody may create in it") }
        let schema = try row.text(0)
        report.fail(
            "schema",
            "whoever can connect may create functions in schema \(schema), and have them run by Keyward: REVOKE CREATE ON SCHEMA \(schema) FROM PUBLIC"
        )
    }

    /// Whether a Keyward's control listener answers there.
    private static func isKeyward(_ address: ListenAddress) async -> Bool {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout = .init(connect: .seconds(1), read: .seconds(2))
        let client = HTTPClient(configuration: configuration)
        let response = try? await client.execute(
            HTTPClientRequest(url: "http://\(address)/readyz"), timeout: .seconds(2))
        let body = try? await response?.body.collect(upTo: 65_536)
        try? await client.shutdown()
        return body.map { String(buffer: $0).contains("index_age_seconds") } ?? false
    }

    private func checkClock(
        _ theirs: Timestamp, between before: Timestamp, and after: Timestamp, _ report: inout Report
    ) {
        let tolerance = Int64(Self.clockTolerance / .microseconds(1))
        let ahead = max(0, theirs.microseconds - after.microseconds, before.microseconds - theirs.microseconds)
        if ahead <= tolerance {
            report.pass("clock", "within 2 s of the database's")
        } else {
            report.fail("clock", "\(ahead / 1_000) ms from the database's: expiry would be judged wrongly")
        }
    }

    private func checkPort(
        _ address: ListenAddress, _ check: String, _ isRunning: Bool, _ report: inout Report
    ) async {
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: address.host, port: address.port).get()
            try await channel.close().get()
            report.pass(check, "\(address) is free")
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            if isRunning {
                report.pass(check, "\(address) is in use by a running Keyward")
            } else {
                report.fail(check, "\(address) is in use")
            }
        } catch {
            report.fail(check, "\(address) cannot be listened on")
        }
    }
}
