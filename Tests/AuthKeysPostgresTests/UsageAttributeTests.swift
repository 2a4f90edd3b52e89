import LibPQ
import Synchronization
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

/// The end of a test's background work.
private final class End: Sendable {
    let isReached = Atomic(false)
}

@Suite("Attributes of keys beside their use")
struct UsageAttributeTests {
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
            let end = End()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        while !end.isReached.load(ordering: .relaxed) {
                            _ = try await fixture.pool.query(Self.usage, [])
                        }
                    }
                }
                group.addTask {
                    defer { end.isReached.store(true, ordering: .relaxed) }
                    for round in 0..<30 {
                        // Against the order of their ids, because of the sort before the update.
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
            // Usage that was recorded after its key was deleted.
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

    /// Writes the use of many keys as an instance does: by their ids, in one transaction.
    private static let usage = """
        INSERT INTO auth_key_usage AS u (key_id, last_used_at, requests)
        SELECT id, clock_timestamp(), 1 FROM auth_keys t
        WHERE EXISTS (SELECT FROM auth_keys k WHERE k.id = t.id) ORDER BY id LIMIT 400
        ON CONFLICT (key_id) DO UPDATE SET
            last_used_at = GREATEST(u.last_used_at, excluded.last_used_at), requests = u.requests + excluded.requests
        """
}
