import AuthKeys
import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres

@Suite("Plans of lists")
struct ListPlanTests {
    @Test("a page is found in an index, in any order, wherever it begins and whatever it is filtered by")
    func plans() async throws {
        try await StoreFixture.with { fixture in
            try await Self.fill(fixture)
            for order in KeyOrder.all {
                let moment = Timestamp.now.advanced(by: .seconds(Self.middle(of: order.field)))
                let cursor = ListCursor(
                    order: order, moment: order.field == .name ? nil : moment, name: "key 15", id: .generate())
                for query in [KeyQuery(order: order), KeyQuery(order: order, after: cursor)] {
                    let plan = try await Self.plan(query, fixture)
                    // What is read first is read from the order's index, and no further than the page goes.
                    #expect(plan.contains(Self.index(of: order.field)) && !plan.contains("Seq Scan"), "\(plan)")
                }
                for (filter, index) in Self.filters {
                    var query = filter
                    query.order = order
                    for after in [nil, cursor] {
                        query.after = after
                        let plan = try await Self.plan(query, fixture)
                        #expect(plan.contains(index) && !plan.contains("Seq Scan"), "\(query)\n\(plan)")
                    }
                }
            }
        }
    }

    @Test("a page that begins in the middle is read from there")
    func ranges() async throws {
        try await StoreFixture.with { fixture in
            try await Self.fill(fixture)
            for order in KeyOrder.all {
                let pages = try await fixture.store.list(KeyQuery(limit: 1_000, order: order))
                let last = try #require(pages.last)
                let query = KeyQuery(limit: 10, order: order, after: ListCursor(after: last, in: order))
                let plan = try await Self.plan(query, fixture, options: "ANALYZE, TIMING off, SUMMARY off, COSTS off")
                // Of all that was read, a row was left out only where a moment is the cursor's own.
                let removed = plan.split(separator: "\n").filter { $0.contains("Rows Removed by Filter") }
                #expect(removed.allSatisfy { $0.hasSuffix(": 1") }, "\(plan)")
            }
        }
    }

    /// What few keys pass, and the index that finds those.
    private static let filters: [(KeyQuery, String)] = [
        (KeyQuery(status: .deactivated), "auth_keys_deactivated"), (KeyQuery(status: .disabled), "auth_keys_disabled"),
        (KeyQuery(status: .expired), "auth_keys_end"),
        (KeyQuery(expiringWithin: .seconds(3_600)), "auth_keys_end"),
        (KeyQuery(unusedFor: .seconds(60)), "auth_key_usage_latest"),
        (KeyQuery(owner: "owner 7"), "auth_keys_owner"),
        (KeyQuery(status: .active, owner: "owner 7"), "auth_keys_owner"),
        (KeyQuery(label: .init(name: "tenant", value: "7")), "auth_keys_label_names"),
        (KeyQuery(leavesOutDeactivated: true, label: .init(name: "tenant", value: "7")), "auth_keys_label_names"),
        (KeyQuery(label: .init(name: "rare", value: nil)), "auth_keys_label_names"),
        (KeyQuery(scope: "admin"), "auth_keys_scopes"), (KeyQuery(prefix: "rare"), "auth_key_secrets_prefix"),
        (KeyQuery(lastFour: "0007"), "auth_key_secrets_last_four"), (KeyQuery(text: "y 1234"), "auth_keys_text"),
    ]

    /// Seconds from now to the moment that half of the keys are before.
    private static func middle(of field: KeyOrder.Field) -> Int {
        switch field {
        case .created, .name: -10_000
        case .lastUsed: -16
        case .expires: 10_000 * 3_600
        }
    }

    private static func index(of field: KeyOrder.Field) -> String {
        switch field {
        case .created: "auth_keys_newest_first"
        case .name: "auth_keys_name"
        case .lastUsed: "auth_key_usage_latest"
        case .expires: "auth_keys_end"
        }
    }

    private static func plan(
        _ query: KeyQuery, _ fixture: StoreFixture, options: String = "COSTS off"
    ) async throws -> String {
        var statement = KeySQL.list(query)
        statement.sql = "EXPLAIN (\(options)) " + statement.sql
        let rows = try await fixture.admin.pipeline([KeySQL.listPlanning, statement]).last?.rows
        return try #require(rows).map { try $0.text(0) }.joined(separator: "\n")
    }

    /// Keys of which one in some hundreds is unlike the others.
    private static func fill(_ fixture: StoreFixture) async throws {
        try await fixture.sql(
            """
            INSERT INTO auth_keys (id, name, owner, scopes, labels, enabled, expires_at, deactivated_at, created_at)
            SELECT gen_random_uuid(), 'key ' || n, 'owner ' || n % 1000,
                CASE WHEN n % 500 = 1 THEN ARRAY['admin'] ELSE ARRAY['read'] END,
                CASE WHEN n % 500 = 2 THEN '{"rare": "1"}' ELSE jsonb_build_object('tenant', (n % 1000)::text) END,
                n % 500 <> 3, now() + (n - 40) * interval '1 hour', CASE WHEN n % 500 = 4 THEN now() END,
                now() - n * interval '1 second'
            FROM generate_series(1, 20000) n;
            INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
            SELECT sha256(id::text::bytea), id, CASE WHEN name LIKE '%777' THEN 'rare' ELSE 'kw' END,
                lpad((hashtext(name) & 4095)::text, 4, '0') FROM auth_keys;
            UPDATE auth_key_usage u SET last_used_at = now() - interval '1 ms' * (hashtext(key_id::text) & 32767)
            WHERE hashtext(key_id::text) % 500 <> 0;
            INSERT INTO auth_key_secret_usage (digest, key_id, last_used_at, requests)
            SELECT digest, key_id, now(), 1 FROM auth_key_secrets
            """)
        try await fixture.sql("VACUUM ANALYZE")
    }
}
