import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("Runtime role")
struct RuntimeRoleTests {
    @Test("the list of privileges contains exactly the existing tables")
    func tables() async throws {
        try await StoreFixture.with { fixture in
            let tables = try await fixture.admin.query(
                "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
            ).rows.map { try $0.text(0) }
            #expect(tables.sorted() == RuntimeGrants.tables.map(\.name).sorted())
            for table in RuntimeGrants.tables where table.name.hasPrefix("audit_") {
                #expect(table.rights.hasPrefix("SELECT, INSERT") && !table.rights.contains("UPDATE"))
            }
        }
    }

    @Test("a role name is quoted, or refused")
    func quoting() throws {
        let statements = try RuntimeGrants.statements(for: "a\"; DROP TABLE auth_keys; --")
        #expect(statements.allSatisfy { $0.hasSuffix("\"a\"\"; DROP TABLE auth_keys; --\";") })
        let marked = try RuntimeGrants.statements(for: "\"\u{301}")
        #expect(marked.allSatisfy { $0.utf8.reversed().starts(with: "\"\"\"\u{301}\";".utf8.reversed()) })
        for name in ["", "a\u{0}", String(repeating: "x", count: 64)] {
            #expect(throws: RuntimeGrants.BadRole.self) { try RuntimeGrants.statements(for: name) }
        }
    }

    @Test("the role can perform all admin operations, but cannot change or delete the trail")
    func role() async throws {
        let role = "keyward_run"
        try await StoreFixture.alone { fixture, server in
            let target = try PostgresTarget(try await server.admit(role: role))
            try await fixture.sql("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")
            for statement in try RuntimeGrants.statements(for: role) { try await fixture.sql(statement) }
            let promises =
                StoreConformance.all.filter { $0.description != "a closed store is unavailable" }.map {
                    ($0.description, $0.check as @Sendable (any AdminStore) async throws -> Void)
                } + AdminConformance.all.map { ($0.description, $0.check) }
            for (description, check) in promises {
                try await fixture.sql(
                    """
                    ALTER TABLE audit_events DISABLE TRIGGER USER;
                    ALTER TABLE audit_seals DISABLE TRIGGER USER;
                    DELETE FROM audit_seals; DELETE FROM audit_events; DELETE FROM admin_keys; DELETE FROM auth_keys;
                    ALTER TABLE audit_events ENABLE TRIGGER USER;
                    ALTER TABLE audit_seals ENABLE TRIGGER USER;
                    DELETE FROM auth_key_tombstones; DELETE FROM idempotency_claims; DELETE FROM auth_key_schemes;
                    ALTER SEQUENCE audit_events_id_seq RESTART
                    """)
                try await withStore(on: target) { store in
                    do { try await check(store) } catch { Issue.record("\(description): \(error)") }
                }
            }
            try await withConnection(as: role, to: target) { connection in
                #expect(try await MigrationRunner(logger: StoreFixture.logger).up(on: connection).isEmpty)
                for statement in [
                    "UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events",
                    "UPDATE audit_seals SET seq = seq + 1", "DELETE FROM audit_seals", "TRUNCATE audit_seals",
                    "ALTER TABLE audit_events DISABLE TRIGGER ALL", "ALTER TABLE audit_seals DISABLE TRIGGER USER",
                    "DROP TABLE audit_events", "DROP TRIGGER audit_events_refuse ON audit_events",
                    "SET session_replication_role = replica", "DELETE FROM admin_keys",
                    "DELETE FROM keyward_migrations", "SELECT setval('audit_events_id_seq', 9000)",
                    """
                    INSERT INTO audit_events (id, actor, address, request_id, action, outcome) OVERRIDING SYSTEM VALUE
                    VALUES (9000, 'bootstrap', '', '', 'key.create', 'done')
                    """,
                    "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
                ] {
                    do {
                        try await connection.execute(script: statement)
                        Issue.record("allowed: \(statement)")
                    } catch let error as PostgresError {
                        #expect(error.sqlState == "42501", "\(statement): \(error.debugDescription)")
                    }
                }
            }
        }
    }

    private func withConnection(
        as role: String, to target: PostgresTarget, _ body: (PostgresConnection) async throws -> Void
    ) async throws {
        let connection = try await PostgresConnection.connect(to: target, logger: StoreFixture.logger)
        let users = try #require(try await connection.query("SELECT session_user::text, current_user::text").rows.first)
        #expect(try users.text(0) == role && users.text(1) == role)
        try await body(connection)
        await connection.close()
    }

    private func withStore(
        on target: PostgresTarget, _ body: @Sendable (PostgresAuthKeyStore) async throws -> Void
    ) async throws {
        let pool = PostgresPool(target: target, logger: StoreFixture.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            let store = PostgresAuthKeyStore(pool: pool, logger: StoreFixture.logger)
            try await body(store)
            await store.close()
            group.cancelAll()
        }
    }
}
