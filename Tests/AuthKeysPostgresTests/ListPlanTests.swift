import AuthKeys
import Foundation
import KeyAdministration
import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("Query plans of lists")
struct ListPlanTests {
    @Test("a page is read from an index, for any order, start and filter")
    func plans() async throws {
        try await StoreFixture.alone { fixture in
            // Filling the table takes some time.
            let start = Timestamp.now
            try await Self.fill(fixture)
            for order in KeyOrder.all {
                let moment = start.advanced(by: .seconds(Self.middle(of: order.field)))
                let cursor = ListCursor(
                    order: order, moment: order.field == .name ? nil : moment, name: "key 15", id: .generate())
                for query in [KeyQuery(order: order), KeyQuery(order: order, after: cursor)] {
                    let plan = try await Self.plan(query, fixture)
                    // The first rows come from the order's index, and reading stops at the end of the page.
                    #expect(plan.contains(Self.index(of: order.field)) && !plan.contains("Seq Scan"), "\(plan)")
                }
                for (filter, indexes) in Self.filters {
                    var query = filter
                    query.order = order
                    let index = order.field == .lastUsed ? indexes.last : indexes.first
                    for after in [nil, cursor] {
                        query.after = after
                        let plan = try await Self.plan(query, fixture)
                        #expect(plan.contains(index ?? "none") && !plan.contains("Seq Scan"), "\(query)\n\(plan)")
                    }
                }
            }
        }
    }

    @Test("a page that begins in the middle reads no earlier rows")
    func ranges() async throws {
        try await StoreFixture.alone { fixture in
            try await Self.fill(fixture)
            for order in KeyOrder.all {
                let pages = try await fixture.store.list(KeyQuery(limit: 1_000, order: order))
                let last = try #require(pages.last)
                let query = KeyQuery(limit: 10, order: order, after: ListCursor(after: last, in: order))
                let plan = try await Self.plan(query, fixture, options: "ANALYZE, TIMING off, SUMMARY off, COSTS off")
                // A row is filtered out only if it has the same time as the cursor.
                let removed = plan.split(separator: "\n").filter { $0.contains("Rows Removed by Filter") }
                #expect(removed.allSatisfy { $0.hasSuffix(": 1") }, "\(plan)")
            }
        }
    }

    @Test(
        "a filter that one key in ten matches is evaluated along the order without reading keys",
        arguments: KeySet.allCases)
    func sets(_ set: KeySet) async throws {
        try await StoreFixture.alone { fixture in
            try await Self.fill(fixture, keys: 26_000)
            let filter: KeyQuery
            switch set {
            case .owner: filter = KeyQuery(owner: OwnerFilter("one in ten"))
            case .prefix: filter = KeyQuery(prefix: "tenth")
            case .disabled:
                filter = KeyQuery(status: .disabled)
                try await fixture.sql("UPDATE auth_keys SET enabled = name !~ '5$'")
            case .ending: filter = KeyQuery(expiringWithin: .seconds(2_000 * 3_600))
            case .unused:
                filter = KeyQuery(unusedFor: .seconds(86_400))
                try await fixture.sql(
                    """
                    UPDATE auth_keys SET created_at = created_at - interval '2 days' WHERE name LIKE '%4';
                    UPDATE auth_key_usage u SET last_used_at = CASE WHEN name LIKE '%04' THEN k.created_at END
                    FROM auth_keys k WHERE k.id = u.key_id AND name LIKE '%4'
                    """)
            }
            try await fixture.sql("VACUUM ANALYZE")
            for order in KeyOrder.all {
                var query = filter
                query.limit = 700
                query.order = order
                guard KeySet(of: query) == set else { continue }
                let size = try await fixture.pool.pipeline([ListSQL.count(set, of: query)]).first?.rows.first?.int64(0)
                let chosen = ListPlan(query, set, size: try #require(size.map(Int.init)))
                #expect(chosen != .walk && size ?? 0 > 1_900)
                let plan = try await Self.plan(query, fixture, by: chosen)
                let sign =
                    switch (set, order.field) {
                    case (.ending, _): "auth_keys_end"
                    case (.unused, .expires): "auth_key_usage_never"
                    default: "hashed SubPlan"
                    }
                #expect(plan.contains(sign), "\(plan)")
                #expect(!plan.contains("Seq Scan"), "\(plan)")
                for part in plan.components(separatedBy: "CTE s").dropFirst().map({
                    $0.components(separatedBy: "->  Nested Loop")[0]
                }) {
                    #expect(!part.contains("on auth_keys k") || part.contains("Index Only Scan"), "\(part)")
                }
                var pages: [AuthKey] = []
                repeat {
                    let page = try await fixture.store.list(query)
                    // The planner's result without the set.
                    let walked = ListSQL.page(query, by: .walk)
                    let rows = try await fixture.pool.pipeline([ListSQL.planning, walked]).last?.rows
                    let expected = try rows?.map { try $0.read(AuthKey.init(row:)) }
                    #expect(page == expected, "\(query)")
                    pages += page
                    query.after = page.count < query.limit ? nil : page.last.map { ListCursor(after: $0, in: order) }
                } while query.after != nil
                // Four of the keys that expire soon are deactivated.
                #expect(Int64(pages.count) == size.map { set == .ending ? $0 - 4 : $0 })
                #expect(Set(pages.map(\.id)).count == pages.count)
            }
        }
    }

    @Test("lists by last use filter by index columns, which every change of a key updates")
    func use() async throws {
        try await StoreFixture.alone { fixture in
            try await Self.fill(fixture)
            let order = KeyOrder(.lastUsed, descending: true)
            let scope = KeyQuery(limit: 10, order: order, scope: "half")
            let label = KeyQuery(limit: 10, order: order, label: .init(name: "rare", value: nil))
            for query in [scope, label] {
                let plan = try await Self.plan(query, fixture)
                #expect(plan.contains("u.terms") || plan.contains("(terms &"), "\(plan)")
            }
            // Expired keys are found month by month.
            let ended = try await Self.plan(KeyQuery(order: order, status: .expired), fixture)
            #expect(
                ended.contains("Index Only Scan using auth_key_usage_end_month") && ended.contains("Recursive Union"))

            let changed = StoreConformance.newKey(scopes: ["a"], labels: ["b": "c"])
            try await fixture.create(changed)
            let mismatch = """
                SELECT count(*) FROM auth_keys k LEFT JOIN auth_key_usage u ON u.key_id = k.id
                WHERE (u.created_at, u.expires_at, u.is_deactivated, u.terms) IS DISTINCT FROM
                    (k.created_at, k.expires_at, k.deactivated_at IS NOT NULL, (SELECT bits FROM auth_key_terms(k.scopes, k.labels)))
                """
            func mismatches() async throws -> Int64? { try await fixture.admin.query(mismatch).rows.first?.int64(0) }
            #expect(try await mismatches() == 0)
            let end = Timestamp.now.advanced(by: .seconds(3_600))
            _ = try await fixture.store.update(changed.id, version: nil) { current throws(AuthKeyError) in
                var wanted = current
                wanted.expiresAt = end
                wanted.scopes = ["d", "e"]
                wanted.labels = ["f": "g"]
                return wanted
            }
            #expect(try await mismatches() == 0)
            for query in [
                KeyQuery(order: order, expiringWithin: .seconds(3_700), scope: "e"),
                KeyQuery(order: order, label: .init(name: "f", value: "g")),
            ] {
                #expect(try await fixture.store.list(query).map(\.id) == [changed.id])
            }
            _ = try await fixture.store.deactivate(changed.id)
            #expect(try await mismatches() == 0)
            let gone = try await fixture.store.list(KeyQuery(limit: 1_000, order: order, status: .deactivated))
            #expect(gone.contains { $0.id == changed.id })
        }
    }

    @Test("lists of expired and expiring keys are equal with and without months", arguments: KeyOrder.all)
    func months(_ order: KeyOrder) async throws {
        try await StoreFixture.alone { fixture in
            try await Self.fill(fixture)
            try await fixture.sql(
                """
                UPDATE auth_keys SET expires_at = now() + (hashtext(name) % 900) * interval '1 day' WHERE name !~ '3$';
                UPDATE auth_keys SET expires_at = '-infinity' WHERE name = 'key 8';
                UPDATE auth_keys SET expires_at = 'infinity' WHERE name = 'key 9'
                """)
            try await fixture.sql("VACUUM ANALYZE")
            for filter in [KeyQuery(status: .expired), KeyQuery(expiringWithin: .seconds(80 * 86_400))] {
                var query = filter
                query.order = order
                query.limit = 1_000
                var found: [AuthKey] = []
                repeat {
                    let page = try await fixture.store.list(query)
                    found += page
                    query.after = page.count < query.limit ? nil : page.last.map { ListCursor(after: $0, in: order) }
                } while query.after != nil
                let count = try await fixture.store.count(query)
                #expect(count.isExact && found.count == count.count && found.count > 500)
                #expect(Set(found.map(\.id)).count == found.count)
                let moments = found.map { key -> Int64 in
                    switch order.field {
                    case .created: key.createdAt.microseconds
                    case .lastUsed: key.usage.lastUsedAt?.microseconds ?? .min
                    case .expires: key.expiresAt?.microseconds ?? .max
                    case .name: 0
                    }
                }
                #expect(moments == moments.sorted { order.isDescending ? $0 > $1 : $0 < $1 })
                if order.field == .name {
                    let names = found.map(\.name)
                    #expect(names == names.sorted { order.isDescending ? $0 > $1 : $0 < $1 })
                }
            }
        }
    }

    /// Filters that few keys match, with their indexes. The second index is for the order of last use.
    private static let filters: [(KeyQuery, [String])] = [
        (KeyQuery(status: .deactivated), ["auth_keys_deactivated", "auth_key_usage_deactivated"]),
        (KeyQuery(status: .disabled), ["auth_keys_disabled"]),
        (KeyQuery(status: .expired), ["auth_keys_end", "auth_key_usage_end_month"]),
        (KeyQuery(expiringWithin: .seconds(3_600)), ["auth_keys_end", "auth_key_usage_end_month"]),
        (KeyQuery(unusedFor: .seconds(3_600)), ["auth_key_usage_latest"]),
        (KeyQuery(owner: OwnerFilter("owner 7")), ["auth_keys_owner"]),
        (KeyQuery(status: .active, owner: OwnerFilter("owner 7")), ["auth_keys_owner"]),
        (KeyQuery(owner: OwnerFilter("owner 7", includesBelow: true)), ["auth_keys_owner"]),
        (KeyQuery(label: .init(name: "tenant", value: "7")), ["auth_keys_labels"]),
        (
            KeyQuery(leavesOutDeactivated: true, label: .init(name: "tenant", value: "7")), ["auth_keys_labels"]
        ),
        (KeyQuery(label: .init(name: "rare", value: nil)), ["auth_keys_label_names"]),
        (KeyQuery(scope: "admin"), ["auth_keys_scopes"]), (KeyQuery(prefix: "rare"), ["auth_key_secrets_of_prefix"]),
        (KeyQuery(lastFour: "0007"), ["auth_key_secrets_last_four"]), (KeyQuery(text: "y 1234"), ["auth_keys_text"]),
        (KeyQuery(text: "zq"), ["auth_keys_text"]),
    ]

    /// Returns the offset in seconds from now to the time that half of the keys precede.
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
        _ query: KeyQuery, _ fixture: StoreFixture, by plan: ListPlan? = nil, options: String = "COSTS off"
    ) async throws -> String {
        var statement = ListSQL.page(query, by: plan ?? ListPlan(query))
        statement.sql = "EXPLAIN (\(options)) " + statement.sql
        let rows = try await fixture.admin.pipeline([ListSQL.planning, statement]).last?.rows
        return try #require(rows).map { try $0.text(0) }.joined(separator: "\n")
    }

    /// Creates keys of which one in some hundreds differs from the others.
    private static func fill(_ fixture: StoreFixture, keys: Int = 20_000) async throws {
        try await fixture.sql(
            """
            INSERT INTO auth_keys (id, name, owner, scopes, labels, enabled, expires_at, deactivated_at, created_at,
                has_credits)
            SELECT gen_random_uuid(), 'key ' || n, CASE WHEN n % 10 = 6 THEN 'one in ten' ELSE 'owner ' || n % 1000 END,
                CASE WHEN n % 500 = 1 THEN ARRAY['admin'] ELSE ARRAY['read'] END,
                CASE WHEN n % 500 = 2 THEN '{"rare": "1"}' ELSE jsonb_build_object('tenant', (n % 1000)::text) END,
                n % 500 <> 3, now() + (n - 40) * interval '1 hour', CASE WHEN n % 500 = 4 THEN now() END,
                now() - n * interval '1 second', n % 10 = 5
            FROM generate_series(1, \(keys)) n;
            INSERT INTO auth_key_credits (key_id, remaining) SELECT id, 1 FROM auth_keys WHERE has_credits;
            INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
            SELECT sha256(id::text::bytea), id, CASE WHEN name LIKE '%777' THEN 'rare' WHEN name LIKE '%5' THEN 'tenth' ELSE 'kw' END,
                lpad((hashtext(name) & 4095)::text, 4, '0') FROM auth_keys;
            UPDATE auth_key_usage u SET last_used_at = now() - interval '1 ms' * (hashtext(key_id::text) & 32767)
            WHERE hashtext(key_id::text) % 500 <> 0;
            INSERT INTO auth_key_secret_usage (digest, key_id, last_used_at, requests)
            SELECT digest, key_id, now(), 1 FROM auth_key_secrets
            """)
        try await fixture.sql("VACUUM ANALYZE")
    }
}
