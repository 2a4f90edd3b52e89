import AuthKeys
import LibPQ
import Synchronization
import TestSupport
import Testing

@testable import AuthKeysPostgres

/// Repeated operations until the test ends them, with a count of each.
private final class Traffic: Sendable {
    private let over = Atomic(false)
    private let done = Mutex<[String: Int]>([:])

    var isOver: Bool { over.load(ordering: .relaxed) }
    var counts: [String: Int] { done.withLock { $0 } }

    func end() { over.store(true, ordering: .relaxed) }

    func repeating(_ name: String, _ body: (Int) async throws -> Void) async {
        var round = 0
        while !isOver {
            do {
                try await body(round)
                done.withLock { $0[name, default: 0] += 1 }
                round += 1
                try await Task.sleep(for: .milliseconds(2))
            } catch {
                Issue.record("\(name): \(error)")
                return
            }
        }
    }
}

@Suite("Migrations for lists by last use")
struct ListByUseMigrationTests {
    private static let before = MigrationCatalogue.all.filter { $0.version < 11 }

    /// The number of keys whose row in `auth_key_usage` is missing or wrong.
    private static let wrong = """
        SELECT count(*) FROM auth_keys k FULL JOIN auth_key_usage u ON u.key_id = k.id
        WHERE (u.created_at, u.expires_at, u.is_deactivated, u.terms) IS DISTINCT FROM
            (k.created_at, k.expires_at, k.deactivated_at IS NOT NULL, (SELECT bits FROM auth_key_terms(k.scopes, k.labels)))
        """

    private static func fill(_ fixture: StoreFixture, _ count: Int) async throws {
        try await fixture.sql(
            """
            INSERT INTO auth_keys (id, name, scopes, labels, expires_at, deactivated_at)
            SELECT gen_random_uuid(), 'key ' || n, ARRAY['a', 's' || n % 7], jsonb_build_object('l' || n % 3, n::text),
                CASE WHEN n % 2 = 0 THEN now() + n * interval '1 day' END, CASE WHEN n % 5 = 0 THEN now() END
            FROM generate_series(1, \(count)) n;
            INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
            SELECT sha256(uuid_send(id)), id, 'kw', 'abcd' FROM auth_keys
            """)
    }

    private static func count(_ fixture: StoreFixture, _ sql: String) async throws -> Int64 {
        try #require(try await fixture.admin.query(sql).rows.first).int64(0)
    }

    private static func migrate(_ fixture: StoreFixture, upTo version: Int32 = .max) async throws {
        try await MigrationRunner(
            migrations: MigrationCatalogue.all.filter { $0.version <= version }, logger: StoreFixture.logger
        ).up(on: fixture.admin)
    }

    @Test(
        "existing keys, and keys changed between two migrations, get usage rows; orphaned rows are removed"
    )
    func fills() async throws {
        try await StoreFixture.alone(migrations: Self.before) { fixture in
            try await Self.fill(fixture, 100)
            try await fixture.sql(
                """
                INSERT INTO auth_key_usage (key_id) VALUES (gen_random_uuid());
                INSERT INTO auth_key_secret_usage VALUES (sha256('gone'), gen_random_uuid(), now(), 1);
                INSERT INTO auth_key_usage_days VALUES (gen_random_uuid(), current_date, sha256('gone'), 1);
                INSERT INTO auth_key_usage_days SELECT id, current_date, sha256('x'), 1 FROM auth_keys WHERE name = 'key 2';
                DELETE FROM auth_key_usage u USING auth_keys k WHERE k.id = u.key_id AND name = 'key 1'
                """)
            try await Self.migrate(fixture, upTo: 11)
            try await fixture.create(StoreConformance.newKey(scopes: ["new"], expiresAt: .maximum))
            try await fixture.sql("UPDATE auth_keys SET scopes = '{b}' WHERE name LIKE 'key 1%'")
            let early = try await Self.count(
                fixture, "SELECT count(*) FROM auth_key_usage WHERE created_at IS NOT NULL")
            #expect(early == 12)
            try await Self.migrate(fixture)
            #expect(try await Self.count(fixture, Self.wrong) == 0)
            #expect(try await Self.count(fixture, "SELECT count(*) FROM auth_key_usage") == 101)
            #expect(try await Self.count(fixture, "SELECT count(*) FROM auth_key_secret_usage") == 0)
            #expect(try await Self.count(fixture, "SELECT count(*) FROM auth_key_usage_days") == 1)
            let indexes = try await fixture.admin.query(
                "SELECT indexdef FROM pg_indexes WHERE tablename IN ('auth_key_usage', 'auth_key_secrets')"
            ).rows.map { try $0.text(0) }.joined(separator: "\n")
            #expect(indexes.contains("auth_key_usage_latest ") && indexes.contains("INCLUDE (terms, created_at)"))
            #expect(!indexes.contains("auth_key_usage_latest_terms") && !indexes.contains("auth_key_secrets_prefix "))
        }
    }

    @Test("a scope or label has two bits, rarely one, and a key has the bits of all its terms")
    func terms() async throws {
        try await StoreFixture.alone { fixture in
            let bits = """
                SELECT length(replace(bits::bit(64)::text, '0', '')) AS bits
                FROM generate_series(1, 1000) n, auth_key_terms(ARRAY['scope ' || n], '{}')
                """
            #expect(try await Self.count(fixture, "SELECT count(*) FROM (\(bits)) t WHERE bits NOT IN (1, 2)") == 0)
            // One in 64 has the same bit twice.
            #expect(try await Self.count(fixture, "SELECT count(*) FROM (\(bits)) t WHERE bits = 2") > 950)
            let used = try await Self.count(
                fixture,
                """
                SELECT length(replace(bit_or(bits)::bit(64)::text, '0', ''))::int8
                FROM generate_series(1, 1000) n, auth_key_terms('{}', jsonb_build_object('a', n::text))
                """)
            #expect(used == 64)
            try await Self.fill(fixture, 100)
            let lacking = try await Self.count(
                fixture,
                """
                SELECT count(*) FROM auth_keys k JOIN auth_key_usage u ON u.key_id = k.id,
                    unnest(k.scopes) scope, jsonb_each_text(k.labels) label, auth_key_terms(ARRAY[scope], '{}') s,
                    auth_key_terms('{}', jsonb_build_object(key, value)) l, auth_key_terms('{}', jsonb_build_object(key, NULL)) n
                WHERE u.terms & (s.bits | l.bits | n.bits) <> (s.bits | l.bits | n.bits)
                """)
            #expect(lacking == 0)
        }
    }

    @Test(
        "changing or deleting keys in any order does not deadlock with recording usage",
        .timeLimit(.minutes(5)))
    func order() async throws {
        try await StoreFixture.alone { fixture in
            try await Self.fill(fixture, 400)
            let traffic = Traffic()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        while !traffic.isOver {
                            _ = try await fixture.pool.query(Self.oldUsage, [])
                        }
                    }
                }
                group.addTask {
                    defer { traffic.end() }
                    for round in 0..<30 {
                        // In the opposite order of the ids; a sort before the update ensures this.
                        try await fixture.sql(
                            """
                            SET enable_hashjoin = off; SET enable_mergejoin = off;
                            UPDATE auth_keys k SET scopes = ARRAY['r\(round)']
                            FROM (SELECT id FROM auth_keys ORDER BY id DESC OFFSET 0) o WHERE o.id = k.id
                            """)
                    }
                    try await fixture.sql("DELETE FROM auth_keys")
                }
                try await group.waitForAll()
            }
            #expect(try await Self.count(fixture, "SELECT count(*) FROM auth_keys") == 0)
        }
    }

    @Test("the columns for lists by last use follow changes of a key, and other changes do not write them")
    func follows() async throws {
        try await StoreFixture.alone { fixture in
            try await Self.fill(fixture, 20)
            try await fixture.sql(
                "UPDATE auth_keys SET expires_at = now(), labels = '{\"x\": \"y\"}' WHERE name < 'key 2'")
            try await fixture.sql("UPDATE auth_keys SET scopes = '{}', deactivated_at = now() WHERE name = 'key 9'")
            #expect(try await Self.count(fixture, Self.wrong) == 0)
            let rows = "SELECT string_agg(ctid::text, ',' ORDER BY key_id) FROM auth_key_usage"
            let before = try await fixture.admin.query(rows).rows.first?.text(0)
            try await fixture.sql("UPDATE auth_keys SET enabled = false, description = 'x', scopes = scopes")
            let after = try await fixture.admin.query(rows).rows.first?.text(0)
            #expect(before == after)
            // A usage row of a key that did not exist when the row was written.
            try await fixture.sql(
                """
                ALTER TABLE auth_keys DISABLE TRIGGER auth_keys_end_usage;
                CREATE TABLE saved AS SELECT * FROM auth_keys WHERE name = 'key 3';
                DELETE FROM auth_keys WHERE name = 'key 3';
                UPDATE auth_key_usage SET created_at = NULL, terms = 0 WHERE key_id = (SELECT id FROM saved);
                INSERT INTO auth_keys SELECT * FROM saved
                """)
            #expect(try await Self.count(fixture, Self.wrong) == 0)
        }
    }

    /// Records usage of many keys like an instance of the previous version: ordered by id, in one transaction.
    private static let oldUsage = """
        INSERT INTO auth_key_usage AS u (key_id, last_used_at, requests)
        SELECT id, clock_timestamp(), 1 FROM auth_keys t
        WHERE EXISTS (SELECT FROM auth_keys k WHERE k.id = t.id) ORDER BY id LIMIT 400
        ON CONFLICT (key_id) DO UPDATE SET
            last_used_at = GREATEST(u.last_used_at, excluded.last_used_at), requests = u.requests + excluded.requests
        """

    @Test("no operation of an instance fails during the migrations", .timeLimit(.minutes(5)))
    func traffic() async throws {
        try await StoreFixture.alone(migrations: Self.before) { fixture in
            try await Self.fill(fixture, 4_000)
            let keys = try await fixture.store.list(KeyQuery(limit: 1_000)).filter { $0.deactivatedAt == nil }
            let traffic = Traffic()
            let (store, pool) = (fixture.store, fixture.pool)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    // In the order that conflicted with the old form of this migration.
                    group.addTask {
                        await traffic.repeating("read") { _ in
                            // Without a pause, one of these tasks would always hold what migration 13 waits for, and
                            // wait for what 13 holds. No statement of Keyward does so.
                            try await Task.sleep(for: .milliseconds(25))
                            _ = try await pool.transaction { transaction in
                                _ = try await transaction.query(
                                    "SELECT count(*) FROM auth_key_secrets WHERE prefix = 'kw'")
                                try await Task.sleep(for: .milliseconds(5))
                                return try await transaction.query(
                                    "SELECT key_id FROM auth_key_usage ORDER BY last_used_at DESC NULLS LAST, key_id DESC LIMIT 9"
                                )
                            }
                        }
                    }
                }
                group.addTask {
                    await traffic.repeating("list") { _ in _ = try await store.list(KeyQuery(limit: 100)) }
                }
                group.addTask {
                    // Like an instance of that version. The feed of this version needs a later migration.
                    await traffic.repeating("follow") { _ in
                        _ = try await pool.query(
                            """
                            SELECT k.*, s.* FROM auth_keys k JOIN auth_key_secrets s ON s.key_id = k.id
                            WHERE k.changed_xid >= pg_snapshot_xmin(pg_current_snapshot())
                            """, [])
                    }
                }
                group.addTask {
                    await traffic.repeating("update") { round in
                        _ = try await store.update(keys[round % keys.count].id, version: nil, by: .test) {
                            current throws(AuthKeyError) in
                            var changed = current
                            changed.scopes = ["r\(round)"]
                            return changed
                        }
                    }
                }
                group.addTask {
                    await traffic.repeating("rotate") { round in
                        let rotation = Rotation(
                            id: .generate(), secret: NewSecret(Token.generate()), grace: .seconds(60))
                        _ = try await store.rotate(
                            keys[round * 7 % keys.count].id, version: nil, rotation, claim: nil, by: .test)
                    }
                }
                group.addTask {
                    await traffic.repeating("create and delete") { round in
                        let key = StoreConformance.newKey(scopes: ["made"])
                        try await fixture.create(key)
                        if round % 2 == 0 { _ = try await store.delete(key.id, version: nil, by: .test) }
                    }
                }
                group.addTask { await traffic.repeating("use") { _ in _ = try await pool.query(Self.oldUsage, []) } }
                group.addTask {
                    defer { traffic.end() }
                    try await Task.sleep(for: .milliseconds(300))
                    try await Self.migrate(fixture)
                    try await Task.sleep(for: .milliseconds(300))
                }
                try await group.waitForAll()
            }
            let counts = traffic.counts
            #expect(counts.count == 7 && counts.values.allSatisfy { $0 > 2 }, "\(counts)")
            #expect(try await Self.count(fixture, Self.wrong) == 0)
        }
    }
}
