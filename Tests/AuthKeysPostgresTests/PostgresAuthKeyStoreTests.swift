import AuthKeys
import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres

@Suite("The store on PostgreSQL")
struct PostgresAuthKeyStoreTests {
    @Test("keeps every promise of a store", arguments: StoreConformance.all)
    func keeps(_ promise: StoreConformance) async throws {
        try await StoreFixture.with { try await promise.check($0.store) }
    }

    @Test("keeps every promise of the trail and of admin keys", arguments: AdminConformance.all)
    func keeps(_ promise: AdminConformance) async throws {
        try await StoreFixture.with { try await promise.check($0.store) }
    }

    @Test("texts of any kind come back as they were")
    func texts() async throws {
        try await StoreFixture.with { fixture in
            let name = "é🔑 ' \" \\ % _ $1 ; DROP TABLE auth_keys; --"
            let key = StoreConformance.newKey(name: name, owner: name, scopes: ["{a,b}", "null", "NULL", "a'b"])
            try await fixture.create(key)
            let shown = try #require(try await fixture.store.key(key.id))
            #expect(shown.name == name && shown.owner == name && shown.scopes == ["{a,b}", "null", "NULL", "a'b"])
            #expect(try await fixture.store.find([key.digest]) == [key.entry])
            #expect(try await fixture.store.list(KeyQuery(text: "' \" \\ %")).count == 1)
        }
    }

    @Test("moments come back to the microsecond, the last of the calendar too")
    func moments() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey(expiresAt: .maximum)
            try await fixture.create(key)
            #expect(try await fixture.store.key(key.id)?.expiresAt == .maximum)
        }
    }

    @Test("creations at once share statements, and each gets its own key")
    func groupCommit() async throws {
        try await StoreFixture.with { fixture in
            let keys = (0..<500).map { StoreConformance.newKey(name: "n\($0)") }
            let before = try await Self.commits(fixture)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for key in keys {
                    group.addTask {
                        guard case .created(let created) = try await fixture.store.create(key, claim: nil) else {
                            Issue.record("not created")
                            return
                        }
                        #expect(created.id == key.id && created.name == key.name)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.store.list(KeyQuery(limit: 1_000)).count == 500)
            #expect(try await Self.commits(fixture) - before < 250)
        }
    }

    private static func commits(_ fixture: StoreFixture) async throws -> Int64 {
        let result = try await fixture.admin.query(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        return try #require(result.rows.first).int64(0)
    }

    @Test("a deactivation cannot be taken back, nor a key's id or secret changed, by anybody")
    func permanence() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            _ = try await fixture.store.deactivate(key.id)
            for statement in [
                "UPDATE auth_keys SET deactivated_at = NULL", "UPDATE auth_keys SET deactivated_at = now()",
                "UPDATE auth_keys SET id = gen_random_uuid()",
                "UPDATE auth_key_secrets SET digest = decode(repeat('00', 32), 'hex')", "TRUNCATE auth_keys CASCADE",
                "TRUNCATE auth_key_secrets", "TRUNCATE auth_key_tombstones",
            ] {
                do {
                    try await fixture.sql(statement)
                    Issue.record("allowed: \(statement)")
                } catch let error as PostgresError {
                    #expect(error.sqlState == "23001", "\(statement)")
                }
            }
        }
    }

    @Test("a page is found in an index, wherever it begins")
    func plans() async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql(
                """
                INSERT INTO auth_keys (id, name, owner, created_at)
                SELECT gen_random_uuid(), 'key ' || n, 'owner ' || n % 1000, now() - n * interval '1 second'
                FROM generate_series(1, 20000) n;
                INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
                SELECT sha256(id::text::bytea), id, 'kw', '0000' FROM auth_keys;
                ANALYZE
                """)
            let cursor = ListCursor(
                createdAt: Timestamp.now.advanced(by: .seconds(-10_000)), name: "x", id: .generate())
            for query in [
                KeyQuery(), KeyQuery(after: cursor), KeyQuery(owner: "owner 7"),
                KeyQuery(after: cursor, owner: "owner 7"),
            ] {
                let (sql, parameters) = KeySQL.list(query)
                let plan = try await fixture.admin.query("EXPLAIN (COSTS off) " + sql, parameters).rows.map {
                    try $0.text(0)
                }
                .joined(separator: "\n")
                #expect(!plan.contains("Seq Scan"), "\(plan)")
            }
        }
    }
}
