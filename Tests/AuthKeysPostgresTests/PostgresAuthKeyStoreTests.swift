import AuthKeys
import KeyAdministration
import LibPQ
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("PostgresAuthKeyStore")
struct PostgresAuthKeyStoreTests {
    @Test("the store passes its conformance suite", arguments: StoreConformance.all)
    func storeConformance(_ promise: StoreConformance) async throws {
        try await StoreFixture.with { try await promise.check($0.store) }
    }

    @Test("the trail and admin keys pass their conformance suite", arguments: AdminConformance.all)
    func adminConformance(_ promise: AdminConformance) async throws {
        try await StoreFixture.with { try await promise.check($0.store) }
    }

    @Test("a text search ignores case under the locale C")
    func folding() async throws {
        try await StoreFixture.with(locale: "C") { try await StoreConformance.folding.check($0.store) }
    }

    @Test("texts with special characters are returned unchanged")
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

    @Test("the longest names and owners fit the indexes, even if they cannot be compressed")
    func longest() async throws {
        @Sendable func text(_ count: Int) -> String {
            var text = String.UnicodeScalarView()
            for _ in 0..<count { text.append(Unicode.Scalar(UInt32.random(in: 0x20000...0x2A6DD)) ?? "x") }
            return String(text)
        }
        try await StoreFixture.with { fixture in
            let owner = (0..<8).map { _ in text(49) }.joined(separator: "/") + text(6)
            #expect(owner.utf8.count <= OwnerPath.sizeLimit && owner.utf8.count > OwnerPath.sizeLimit - 10)
            let key = StoreConformance.newKey(name: text(FieldRules.nameLimit), owner: owner)
            try await fixture.create(key)
            #expect(try await fixture.store.list(KeyQuery(owner: OwnerFilter(owner))).map(\.id) == [key.id])
        }
    }

    @Test("times are returned to the microsecond, including the latest one")
    func moments() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey(expiresAt: .maximum)
            try await fixture.create(key)
            #expect(try await fixture.store.key(key.id)?.expiresAt == .maximum)
        }
    }

    @Test("concurrent creations share statements, and each returns its own key")
    func groupCommit() async throws {
        // The test counts transactions, including those of other tests on the same server.
        try await StoreFixture.alone { fixture in
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

    @Test("no statement can undo a deactivation or change a key's id or secret")
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

    @Test("manually created rows with times out of range are listed like others")
    func unusualTimes() async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql(
                """
                INSERT INTO auth_keys (id, name, created_at, expires_at)
                SELECT gen_random_uuid(), 'key ' || n, at, at FROM unnest(ARRAY[timestamptz 'infinity', '-infinity',
                    '4713-01-01 BC', '290000-01-01', '2000-01-01', 'infinity', '-infinity', NULL]) WITH ORDINALITY t (at, n)
                WHERE at IS NOT NULL
                """)
            for order in KeyOrder.all {
                var (keys, query): ([AuthKey], KeyQuery) = ([], KeyQuery(limit: 1, order: order))
                while let key = try await fixture.store.list(query).last, keys.count < 20 {
                    keys.append(key)
                    query.after = ListCursor(after: key, in: order)
                }
                #expect(
                    keys.map(\.name) == (try await fixture.store.list(KeyQuery(order: order))).map(\.name), "\(order)")
                #expect(keys.count == 7, "\(order)")
            }
        }
    }

    @Test("a count is exact up to 10,000, and an estimate above")
    func counts() async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql(
                """
                INSERT INTO auth_keys (id, name, owner) SELECT gen_random_uuid(), 'key ' || n, 'owner ' || n % 2
                FROM generate_series(1, 19998) n; ANALYZE auth_keys
                """)
            #expect(
                try await fixture.store.count(KeyQuery(owner: OwnerFilter("owner 1"))) == KeyCount(9_999, isExact: true)
            )
            let all = try await fixture.store.count(KeyQuery())
            #expect(!all.isExact && all.count == 19_998, "an ANALYZE of so few rows reads them all")
            try await fixture.sql("UPDATE auth_keys SET owner = 'owner 1' WHERE name < 'key 2'")
            let most = try await fixture.store.count(KeyQuery(owner: OwnerFilter("owner 1")))
            #expect(!most.isExact && most.count > 10_000)
        }
        #expect(PostgresAuthKeyStore.expectedRows("Seq Scan on k  (cost=0.00..1.50 rows=77 width=4)") == 77)
        #expect(PostgresAuthKeyStore.expectedRows("Result") == nil)
    }

    @Test("a secret that has expired in the database has expired by any clock")
    func endedByAnyClock() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            let behind = Timestamp.now.advanced(by: .seconds(-3_600))
            for grace in [Duration.zero, .seconds(60)] {
                let outcome = try await fixture.store.rotate(
                    key.id, version: nil, StoreConformance.rotation(grace: grace), claim: nil)
                guard case .rotated(let changed) = outcome else { throw StoreError(.failed, detail: "not rotated") }
                let ended = changed.entries.filter { $0.expiresAt.map { $0 <= behind } ?? false }
                #expect(ended.map(\.digest) == [key.digest])
            }
            let left = try await fixture.store.endPreviousSecrets(key.id)
            #expect(left?.count { $0.expiresAt.map { $0 <= behind } ?? false } == 2)
            // A grace period that has expired by itself is also ended for instances whose clock is behind. The trail
            // contains the secret that was still valid.
            _ = try await fixture.store.rotate(
                key.id, version: nil, StoreConformance.rotation(grace: .milliseconds(1)), claim: nil)
            try await Task.sleep(for: .milliseconds(20))
            let before = try await fixture.store.key(key.id)?.version
            let again = try await fixture.store.endPreviousSecrets(key.id)
            #expect(again?.count { $0.expiresAt.map { $0 <= behind } ?? false } == 3)
            #expect(try await fixture.store.key(key.id)?.version ?? 0 > before ?? 0)
            let events = try await fixture.admin.query(
                "SELECT FROM audit_events WHERE action = 'key.end_previous_secret'")
            #expect(events.rows.count == 1)
            let fed = try await fixture.changes(since: nil).entries
            #expect(fed.count { $0.expiresAt.map { $0 <= behind } ?? false } == 3 && fed.count == 4)
        }
    }

    @Test("ending secrets waits for a concurrent change of the key without locking its secrets")
    func lockOrder() async throws {
        try await StoreFixture.alone { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            _ = try await fixture.store.rotate(
                key.id, version: nil, StoreConformance.rotation(grace: .seconds(60)), claim: nil)
            try await fixture.sql("BEGIN; SELECT FROM auth_keys FOR UPDATE")
            async let ended = fixture.store.endPreviousSecrets(key.id)
            let other = try await PostgresConnection.connect(to: fixture.target, logger: StoreFixture.logger)
            let isWaiting = try await eventually {
                try await other.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").rows.count == 1
            }
            #expect(isWaiting)
            _ = try await other.query("SELECT FROM auth_key_secrets FOR UPDATE NOWAIT")
            await other.close()
            try await fixture.sql("COMMIT")
            #expect(try await ended?.count == 2)
        }
    }
}
