import AuthKeys
import KeyAdministration
import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("Usage of inactive keys")
struct InactiveKeyUsageTests {
    private func fill(_ fixture: StoreFixture, _ count: Int) async throws {
        try await fixture.sql(
            """
            INSERT INTO auth_keys (id, name) SELECT gen_random_uuid(), 'key ' || n FROM generate_series(1, \(count)) n;
            UPDATE auth_key_usage SET last_used_at = now() - random() * interval '1 day'
            """)
    }

    @Test("an orphaned usage row of a deleted key does not appear in lists by last use")
    func orphans() async throws {
        try await StoreFixture.with { fixture in
            try await fill(fixture, 19)
            try await fixture.sql(
                """
                INSERT INTO auth_key_usage (key_id, last_used_at, created_at)
                SELECT gen_random_uuid(), now() - n * interval '3 hours', now() FROM generate_series(0, 7) n
                """)
            for order in [KeyOrder(.lastUsed), KeyOrder(.lastUsed, descending: true)] {
                var query = KeyQuery(limit: 3, order: order)
                var names: [String] = []
                while true {
                    let page = try await fixture.store.list(query)
                    names += page.map(\.name)
                    guard page.count == 3, let last = page.last else { break }
                    query.after = ListCursor(after: last, in: order)
                }
                #expect(names.count == 19 && Set(names).count == 19, "\(order)")
            }
        }
    }

    @Test("recording usage during the deletion of its key leaves no rows", .timeLimit(.minutes(5)))
    func deletions() async throws {
        try await StoreFixture.with { fixture in
            for _ in 0..<20 {
                try await fill(fixture, 50)
                let keys = try await fixture.store.list(KeyQuery(limit: 50))
                let counts = keys.map { key in
                    UsageCount(
                        digest: Token.generate().digest, keyID: key.id, day: 20_000, requests: 1, lastUsedAt: .now)
                }
                async let deletion: Void = fixture.sql("DELETE FROM auth_keys")
                for _ in 0..<5 { try await fixture.store.record(counts) }
                try await deletion
                try await fixture.sql(
                    """
                    DO $$ BEGIN
                        IF EXISTS (SELECT FROM auth_key_usage) OR EXISTS (SELECT FROM auth_key_secret_usage)
                            OR EXISTS (SELECT FROM auth_key_usage_days)
                        THEN RAISE EXCEPTION 'something was left behind'; END IF;
                    END $$
                    """)
            }
        }
    }

    @Test("keys whose expiries are many months apart are all listed")
    func months() async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql(
                """
                INSERT INTO auth_keys (id, name, expires_at) SELECT gen_random_uuid(), 'key ' || n, moment
                FROM unnest(ARRAY['-infinity', '0001-01-01Z', '0001-01-31Z', '1999-12-31 23:59:59Z', '2000-01-01Z',
                    now() - interval '1 second', now() + interval '1 hour', '9999-12-31Z', 'infinity']::timestamptz[])
                    WITH ORDINALITY t (moment, n)
                """)
            for field in [KeyOrder.Field.created, .lastUsed] {
                let ended = try await fixture.store.list(KeyQuery(order: KeyOrder(field), status: .expired))
                #expect(Set(ended.map(\.name)) == Set((1...6).map { "key \($0)" }), "\(field)")
                let soon = try await fixture.store.list(
                    KeyQuery(order: KeyOrder(field), expiringWithin: .seconds(7_200)))
                #expect(soon.map(\.name) == ["key 7"], "\(field)")
            }
        }
    }
}
