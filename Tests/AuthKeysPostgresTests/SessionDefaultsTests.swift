import AuthKeysPostgres
import KeyAdministrationPostgres
import LibPQ
import TestSupport
import Testing

/// Tests on a database whose session defaults differ for every setting that could change the meaning or the success of
/// a statement. Settings that the store leaves to the operator are excepted.
@Suite("Store with hostile session defaults", .serialized, .timeLimit(.minutes(10)))
struct SessionDefaultsTests {
    @Test("the store passes its conformance suite", arguments: StoreConformance.all)
    func storeConformance(_ promise: StoreConformance) async throws {
        try await StoreFixture.with(defaults: HostileDefaults.all) { try await promise.check($0.store) }
    }

    @Test("the trail and admin keys pass their conformance suite", arguments: AdminConformance.all)
    func adminConformance(_ promise: AdminConformance) async throws {
        try await StoreFixture.with(defaults: HostileDefaults.all) { try await promise.check($0.store) }
    }

    @Test("all conformance suites pass through a transaction pooler")
    func pooledConformance() async throws {
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

    @Test("the store leaves no settings on the server connections of a pooler")
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

    @Test("a connection on which triggers would not fire is refused with the reason")
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
