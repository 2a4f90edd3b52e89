import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import TestSupport

/// A database with the tables of Keyward, and a service that changes its keys as another instance does.
struct KeyDatabase: Sendable {
    let connectionString: String
    let service: AuthKeyService
    let store: PostgresAuthKeyStore

    /// Runs `body` with a database to which the migrations were applied.
    static func with(
        _ connectionString: String, migrations: [Migration] = MigrationCatalogue.all,
        _ body: @Sendable (KeyDatabase) async throws -> Void
    ) async throws {
        let target = try PostgresTarget(connectionString)
        let connection = try await PostgresConnection.connect(to: target, logger: silent)
        try await MigrationRunner(migrations: migrations, logger: silent).up(on: connection)
        await connection.close()
        let pool = PostgresPool(target: target, logger: silent)
        let store = PostgresAuthKeyStore(pool: pool, logger: silent)
        let database = KeyDatabase(
            connectionString: connectionString, service: AuthKeyService(store: store, index: KeyIndex()), store: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            let result: Result<Void, any Error>
            do { result = .success(try await body(database)) } catch { result = .failure(error) }
            await store.close()
            try await group.waitForAll()
            try result.get()
        }
    }

    /// Runs `body` with a new database of the shared server, to which all migrations were applied.
    static func with(_ body: @Sendable (KeyDatabase) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        try await with(database.connectionString, body)
        try await database.drop()
    }

    func requests(of key: IssuedKey) async throws -> Int64? {
        try await store.usage(key.key.id, days: 1)?.usage.requests
    }
}
