import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import Logging
import TestSupport

/// A migrated database, a store on it, and a connection for manual statements.
struct StoreFixture: Sendable {
    let store: PostgresAuthKeyStore
    let pool: PostgresPool
    let connectionString: String
    /// The name of the database.
    var database: String {
        connectionString.split(separator: " ").first { $0.hasPrefix("dbname=") }?.dropFirst(7).filter { $0 != "'" }
            ?? ""
    }
    let target: PostgresTarget
    let admin: PostgresConnection

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `body` with a fixture, and releases everything afterwards.
    /// - Parameters:
    ///   - defaults: settings that the database has for every session.
    ///   - locale: the locale of the database; nil for the server's own.
    static func with<R: Sendable>(
        defaults: [String: String] = [:], locale: String? = nil,
        _ body: @Sendable (StoreFixture) async throws -> R
    ) async throws -> R {
        let database = try await TestDatabase.create(locale: locale)
        for (name, value) in defaults {
            try await Psql.run(
                "ALTER DATABASE \(database.name) SET \(name) = '\(value)'", on: database.maintenanceConnectionString)
        }
        let result = try await with(database.connectionString, body)
        try await database.drop()
        return result
    }

    /// Runs `body` with a fixture on its own server, so that transactions of other tests and of this one do not delay
    /// each other's watermarks.
    static func alone<R: Sendable>(_ body: @Sendable (StoreFixture) async throws -> R) async throws -> R {
        try await alone { fixture, _ in try await body(fixture) }
    }

    /// Runs `body` with a fixture on its own server, and with that server.
    static func alone<R: Sendable>(
        _ body: @Sendable (StoreFixture, TestServer) async throws -> R
    ) async throws -> R {
        let server = try await TestServer.start()
        let result = try await with(server.connectionString) { try await body($0, server) }
        await server.destroy()
        return result
    }

    private static func with<R: Sendable>(
        _ connectionString: String, _ body: @Sendable (StoreFixture) async throws -> R
    ) async throws -> R {
        let target = try PostgresTarget(connectionString)
        let admin = try await PostgresConnection.connect(to: target, logger: logger)
        try await MigrationRunner(logger: logger).up(on: admin)
        let pool = PostgresPool(target: target, logger: logger)
        let fixture = StoreFixture(
            store: PostgresAuthKeyStore(pool: pool, logger: logger), pool: pool, connectionString: connectionString,
            target: target, admin: admin)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            let result: Result<R, any Error>
            do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
            await pool.close()
            await admin.close()
            group.cancelAll()
            try await group.waitForAll()
            return try result.get()
        }
    }

    /// Runs `body` with another store on the same database, connected through another address.
    func withStore<R: Sendable>(
        at connectionString: String, settings: ConnectionSettings,
        _ body: @Sendable (PostgresAuthKeyStore) async throws -> R
    ) async throws -> R {
        let pool = PostgresPool(target: try PostgresTarget(connectionString), settings: settings, logger: Self.logger)
        let running = Task { await pool.run() }
        do {
            let result = try await body(PostgresAuthKeyStore(pool: pool, logger: Self.logger))
            await pool.close()
            await running.value
            return result
        } catch {
            await pool.close()
            throw error
        }
    }

    /// Runs a manual statement.
    func sql(_ statement: String) async throws {
        try await admin.execute(script: statement)
    }

    /// Returns the changes since a watermark.
    func changes(since watermark: Watermark?) async throws -> (entries: [KeyEntry], batch: ChangeBatch) {
        let collected = Collected()
        let batch = try await store.changes(since: watermark) { collected.append($0) }
        return (collected.entries, batch)
    }

    func create(_ key: NewKey) async throws {
        guard case .created = try await store.create(key, claim: nil) else {
            throw StoreError(.failed, detail: "not created")
        }
    }
}
