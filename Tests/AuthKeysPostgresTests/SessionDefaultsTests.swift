import AuthKeys
import AuthKeysPostgres
import LibPQ
import TestSupport
import Testing

/// A database whose sessions have, by default, another value of every setting that could change the meaning or the success of a
/// statement, so far as the store does not leave the setting alone.
@Suite("A store on a database with hostile defaults", .serialized, .timeLimit(.minutes(5)))
struct SessionDefaultsTests {
    /// Time limits are long enough not to be reached: `SessionSettingsTests` looks at their values.
    private static let hostile = [
        "default_transaction_isolation": "serializable",
        "default_transaction_deferrable": "on", "session_replication_role": "replica", "lock_timeout": "10min",
        "statement_timeout": "10min", "idle_session_timeout": "10min", "idle_in_transaction_session_timeout": "10min",
        "standard_conforming_strings": "off", "backslash_quote": "off", "escape_string_warning": "off",
        "transform_null_equals": "on", "array_nulls": "off", "bytea_output": "escape", "extra_float_digits": "-15",
        "DateStyle": "SQL, DMY", "IntervalStyle": "sql_standard", "TimeZone": "Asia/Kathmandu",
        "timezone_abbreviations": "India", "xmloption": "document", "xmlbinary": "hex", "quote_all_identifiers": "on",
        "gin_fuzzy_search_limit": "1", "exit_on_error": "on", "check_function_bodies": "off",
        "plpgsql.extra_errors": "all", "plpgsql.variable_conflict": "use_variable", "client_min_messages": "debug1",
        "client_encoding": "latin1", "synchronous_commit": "off", "row_security": "off", "enable_seqscan": "off",
        "plan_cache_mode": "force_generic_plan", "default_statistics_target": "1", "work_mem": "64kB",
        "default_text_search_config": "simple", "lc_numeric": "C", "lc_time": "C", "jit": "off",
    ]

    @Test("keeps every promise of a store", arguments: StoreConformance.all)
    func keeps(_ promise: StoreConformance) async throws {
        try await StoreFixture.with(defaults: Self.hostile) { try await promise.check($0.store) }
    }

    @Test("keeps every promise of the trail and of admin keys", arguments: AdminConformance.all)
    func keeps(_ promise: AdminConformance) async throws {
        try await StoreFixture.with(defaults: Self.hostile) { try await promise.check($0.store) }
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
        try await StoreFixture.with(defaults: Self.hostile) { fixture in
            let address = pooler.address(of: fixture.database)
            try await fixture.withStore(at: address, settings: ConnectionSettings(isPooled: true), body)
        }
    }
}
