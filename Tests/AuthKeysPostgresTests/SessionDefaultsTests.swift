import AuthKeysPostgres
import LibPQ
import TestSupport
import Testing

/// A database whose sessions have, by default, another value of every setting that could change the meaning or the success of a
/// statement, so far as the store does not leave the setting alone.
@Suite("A store on a database with hostile defaults", .serialized, .timeLimit(.minutes(10)))
struct SessionDefaultsTests {
    @Test("keeps every promise of a store", arguments: StoreConformance.all)
    func keeps(_ promise: StoreConformance) async throws {
        try await StoreFixture.with(defaults: HostileDefaults.all) { try await promise.check($0.store) }
    }

    @Test("keeps every promise of the trail and of admin keys", arguments: AdminConformance.all)
    func keeps(_ promise: AdminConformance) async throws {
        try await StoreFixture.with(defaults: HostileDefaults.all) { try await promise.check($0.store) }
    }

    @Test("keeps every promise through a transaction pooler")
    func keepsPooled() async throws {
        try await PgBouncer.with { pooler in
            for promise in StoreConformance.all {
                await #expect(throws: Never.self, "\(promise)") {
                    try await Self.withPooledStore(pooler) { try await promise.check($0) }
                }
            }
            for promise in AdminConformance.all {
                await #expect(throws: Never.self, "\(promise)") {
                    try await Self.withPooledStore(pooler) { try await promise.check($0) }
                }
            }
        }
    }

    @Test("leaves nothing on the server connections of a pooler")
    func poolerStaysClean() async throws {
        try await StoreFixture.with(defaults: [
            "TimeZone": "Asia/Kathmandu", "default_transaction_isolation": "serializable",
        ]) {
            fixture in
            try await PgBouncer.with { pooler in
                let address = pooler.address(of: fixture.database)
                try await fixture.withStore(at: address, settings: ConnectionSettings(isPooled: true)) { store in
                    _ = try await StoreChange.prepare(store)
                    _ = try await store.changes(since: nil) { _ in }
                }
                let seen = try await Psql.run("SHOW TimeZone", "SHOW transaction_isolation", on: address)
                #expect(seen == "Asia/Kathmandu\nserializable")
            }
        }
    }

    @Test("does not connect where its triggers would not fire, and says why")
    func replicationRole() async throws {
        let server = try await TestServer.start()
        let theirs = try await server.admit(role: "app")
        try await Psql.run("ALTER ROLE app SET session_replication_role = replica", on: server.connectionString)
        do {
            _ = try await PostgresConnection.connect(
                to: PostgresTarget(theirs), retryingFor: .seconds(60), logger: StoreFixture.logger)
            Issue.record("connected")
        } catch let error as PostgresError {
            #expect(error.isRefusedForGood && error.isUnavailable)
            #expect("\(error)".contains("session_replication_role"))
        }
        await server.destroy()
    }

    private static func withPooledStore(
        _ pooler: PgBouncer, _ body: @Sendable (PostgresAuthKeyStore) async throws -> Void
    ) async throws {
        try await StoreFixture.with(defaults: HostileDefaults.all) { fixture in
            let address = pooler.address(of: fixture.database)
            try await fixture.withStore(at: address, settings: ConnectionSettings(isPooled: true), body)
        }
    }
}
