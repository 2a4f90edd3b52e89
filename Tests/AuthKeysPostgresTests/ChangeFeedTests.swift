import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import TestSupport
import Testing

@Suite("Change feed")
struct ChangeFeedTests {
    @Test("a transaction that commits late is not missed, whatever was read before")
    func lateCommit() async throws {
        try await StoreFixture.with { fixture in
            let (early, late) = (StoreConformance.newKey(name: "early"), StoreConformance.newKey(name: "late"))
            try await fixture.create(early)
            try await fixture.create(late)
            let start = try await fixture.changes(since: nil).batch.watermark
            let slow = try await PostgresConnection.connect(to: fixture.target, logger: StoreFixture.logger)
            try await slow.transaction { transaction in
                try await transaction.execute(script: "UPDATE auth_keys SET enabled = false WHERE name = 'late'")
                _ = try await fixture.store.deactivate(early.id)
                let meanwhile = try await fixture.changes(since: start)
                let states = Dictionary(meanwhile.entries.map { ($0.name, $0.state) }) { $1 }
                #expect(states["early"] == .deactivated && states["late"] != .disabled)
                #expect(StoreConformance.isUnbroken(start, meanwhile.batch.reading))
            }
            await slow.close()
            let after = try await fixture.changes(since: start)
            let states = Dictionary(after.entries.map { ($0.name, $0.state) }) { $1 }
            #expect(states == ["early": .deactivated, "late": .disabled])
        }
    }

    @Test("following the watermarks yields every change of many concurrent writers")
    func manyWriters() async throws {
        try await StoreFixture.with { fixture in
            let index = KeyIndex()
            let keys = (0..<200).map { StoreConformance.newKey(name: "n\($0)") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for chunk in 0..<8 {
                    group.addTask {
                        for key in keys[(chunk * 25)..<(chunk * 25 + 25)] {
                            try await fixture.create(key)
                            _ = try await fixture.store.deactivate(key.id)
                        }
                    }
                }
                var watermark: Watermark?
                for _ in 0..<60 {
                    watermark = try await fixture.store.changes(since: watermark) { index.apply($0) }.watermark
                }
                try await group.waitForAll()
                _ = try await fixture.store.changes(since: watermark) { index.apply($0) }
            }
            for key in keys { #expect(index.withKey(for: key.digest) { $0.state } == .deactivated) }
        }
    }

    @Test("manual changes of rows appear in the feed")
    func byHand() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            var watermark = try await fixture.changes(since: nil).batch.watermark
            for (statement, state) in [
                ("UPDATE auth_keys SET enabled = false", KeyEntry.State.disabled),
                ("UPDATE auth_keys SET enabled = true", .active),
                ("UPDATE auth_key_secrets SET expires_at = '2031-01-01'", .active),
                ("UPDATE auth_keys SET deactivated_at = now()", .deactivated),
                ("DELETE FROM auth_keys", .deleted),
            ] {
                try await fixture.sql(statement)
                let change = try await fixture.changes(since: watermark)
                #expect(change.entries.map(\.state) == [state], "\(statement)")
                #expect(change.entries.map(\.digest) == [key.digest])
                watermark = change.batch.watermark
            }
            #expect(try await fixture.changes(since: nil).entries.map(\.state) == [.deleted])
        }
    }

    @Test("manually added secrets are valid on all instances, also with concurrent changes of their keys")
    func secretAdded() async throws {
        try await StoreFixture.with { fixture in
            let keys = ["one", "two"].map { StoreConformance.newKey(name: $0) }
            for key in keys { try await fixture.create(key) }
            let before = try await fixture.changes(since: nil)
            #expect(before.entries.map(\.version) == [1, 1], "creating a key is one change")
            let added = [Token.generate().digest, Token.generate().digest]
            let other = try await PostgresConnection.connect(to: fixture.target, logger: StoreFixture.logger)
            try await other.execute(script: "BEGIN; UPDATE auth_keys SET description = 'changed' WHERE name = 'two'")
            async let waiting = fixture.admin.query(
                """
                INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
                SELECT CASE name WHEN 'one' THEN $1::bytea ELSE $2::bytea END, id, 'kw', '0000' FROM auth_keys
                """, added.map { .bytes($0.bytes) })
            try await Task.sleep(for: .milliseconds(50))
            try await other.execute(script: "COMMIT")
            _ = try await waiting
            await other.close()
            let entries = try await fixture.changes(since: before.batch.watermark).entries
            #expect(Set(entries.map(\.digest)) == Set(keys.map(\.digest) + added))
            #expect(
                entries.allSatisfy { $0.state == .active && $0.version == ($0.name == "one" ? 2 : 3) }, "\(entries)")
        }
    }

    @Test("a secret that is deleted without its key is removed from all instances")
    func secretDeleted() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            let watermark = try await fixture.changes(since: nil).batch.watermark
            try await fixture.sql("DELETE FROM auth_key_secrets")
            let entries = try await fixture.changes(since: watermark).entries
            #expect(entries.map(\.state) == [.deleted] && entries.first?.version == 2)
            #expect(try await fixture.store.list(KeyQuery()).map(\.redactedValue) == ["..."])
        }
    }

    @Test("invalid rows are counted and disabled, and do not block the feed")
    func invalidRows() async throws {
        try await StoreFixture.with { fixture in
            let good = StoreConformance.newKey(name: "good")
            let endless = StoreConformance.newKey(name: "endless")
            let ancient = StoreConformance.newKey(name: "ancient")
            let distant = StoreConformance.newKey(name: "distant")
            let worn = StoreConformance.newKey(name: "worn")
            for key in [good, endless, ancient, distant, worn] { try await fixture.create(key) }
            try await fixture.sql(
                """
                UPDATE auth_keys SET expires_at = 'infinity' WHERE name = 'endless';
                UPDATE auth_keys SET expires_at = '4000-01-01 BC' WHERE name = 'ancient';
                UPDATE auth_keys SET expires_at = '294250-01-01' WHERE name = 'distant';
                ALTER TABLE auth_keys DISABLE TRIGGER USER;
                UPDATE auth_keys SET version = 5000000000 WHERE name = 'worn';
                ALTER TABLE auth_keys ENABLE TRIGGER USER;
                """)
            let (entries, batch) = try await fixture.changes(since: nil)
            let states = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.state) })
            #expect(states == ["good": .active, "endless": .disabled, "ancient": .disabled, "distant": .disabled])
            #expect(batch.skipped == 4)
            #expect(try await fixture.store.list(KeyQuery()).count == 5, "an admin can see and fix them")
        }
    }

    @Test("the lists of a key arrive in the feed, and lists that Keyward never writes disable their keys")
    func lists() async throws {
        try await StoreFixture.with { fixture in
            let names = ["none", "limited", "null", "nested", "empty text", "limits", "plan"]
            let keys = names.map { StoreConformance.newKey(name: $0) }
            for key in keys { try await fixture.create(key) }
            try await fixture.sql(
                """
                UPDATE auth_keys SET allowed_methods = '{GET,POST}', allowed_paths = '{/a,/b}', report_only = '{allowed_paths}',
                    scopes = '{read,write}' WHERE name = 'limited';
                UPDATE auth_keys SET allowed_cidrs = '{NULL}' WHERE name = 'null';
                UPDATE auth_keys SET allowed_methods = '{{GET},{POST}}' WHERE name = 'nested';
                UPDATE auth_keys SET allowed_paths = '{""}' WHERE name = 'empty text';
                UPDATE auth_keys SET limits = '[{"name":"a","limit":0,"per":"1m"}]' WHERE name = 'limits';
                UPDATE auth_keys SET plan = 'No Plan' WHERE name = 'plan';
                """)
            let (entries, batch) = try await fixture.changes(since: nil)
            let byName = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0) })
            #expect(
                byName.mapValues(\.state) == [
                    "none": .active, "limited": .active, "null": .disabled, "nested": .disabled,
                    "empty text": .disabled, "limits": .disabled, "plan": .disabled,
                ])
            #expect(batch.skipped == 5)
            #expect(byName["none"]?.policy == KeyPolicy.none)
            #expect(
                byName["limited"]?.policy
                    == KeyPolicy(methods: ["GET", "POST"], paths: ["/a", "/b"], reportOnly: ["allowed_paths"]))
            #expect(byName["limited"]?.scopes == "read write")
            let found = try await fixture.store.find(keys.map(\.digest))
            #expect(Dictionary(uniqueKeysWithValues: found.map { ($0.name, $0) }) == byName)
        }
    }

    @Test("rows of a restored dump with transaction ids of another history get new ones")
    func restored() async throws {
        try await StoreFixture.alone { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            try await fixture.sql(
                """
                ALTER TABLE auth_keys DISABLE TRIGGER USER;
                UPDATE auth_keys SET changed_xid = '999999999999';
                ALTER TABLE auth_keys ENABLE TRIGGER USER;
                """)
            try await fixture.store.feed.adoptRestoredRows()
            var watermark = try await fixture.changes(since: nil).batch.watermark
            watermark = try await fixture.changes(since: watermark).batch.watermark
            let idle = try await fixture.changes(since: watermark).entries
            #expect(idle.isEmpty, "nothing must be read again without changes")
            _ = try await fixture.store.deactivate(key.id)
            let change = try await fixture.changes(since: watermark)
            #expect(change.entries.map(\.state) == [.deactivated])
        }
    }

    @Test("updating the transaction ids of a restored dump may exceed the query timeout")
    func restoredSlowly() async throws {
        try await StoreFixture.alone { fixture in
            try await fixture.create(StoreConformance.newKey())
            try await fixture.sql(
                """
                ALTER TABLE auth_keys DISABLE TRIGGER USER;
                UPDATE auth_keys SET changed_xid = '999999999999';
                ALTER TABLE auth_keys ENABLE TRIGGER USER;
                CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(2); RETURN NEW; END';
                CREATE TRIGGER slowly BEFORE UPDATE ON auth_keys FOR EACH ROW EXECUTE FUNCTION slowly();
                ALTER DATABASE \(fixture.database) SET statement_timeout = '500ms';
                """)
            let settings = ConnectionSettings(queryTimeout: .milliseconds(500))
            let pool = PostgresPool(target: fixture.target, settings: settings, logger: StoreFixture.logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await pool.run() }
                try await PostgresAuthKeyStore(pool: pool, logger: StoreFixture.logger).feed.adoptRestoredRows()
                await pool.close()
                try await group.waitForAll()
            }
            let left = try await fixture.admin.query("SELECT FROM auth_keys WHERE changed_xid = '999999999999'")
            #expect(left.rows.isEmpty)
        }
    }

    @Test("a read of the changes uses an index")
    func plan() async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql(
                """
                INSERT INTO auth_keys (id, name) SELECT gen_random_uuid(), 'n' FROM generate_series(1, 20000);
                INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
                SELECT sha256(id::text::bytea), id, 'kw', '0000' FROM auth_keys;
                ANALYZE
                """)
            // Later than all rows, as in any read that finds few changes.
            let position: UInt64 = 9_000_000_000_000
            let plan = try await fixture.admin.query(
                "EXPLAIN (COSTS off) SELECT * FROM auth_keys k JOIN auth_key_secrets s ON s.key_id = k.id WHERE k.changed_xid >= '\(position)'::xid8"
            ).rows.map { try $0.text(0) }.joined(separator: "\n")
            #expect(!plan.contains("Seq Scan"), "\(plan)")
        }
    }

    @Test("a slow list does not delay a read of the changes")
    func ownConnections() async throws {
        try await StoreFixture.with { fixture in
            let one = PoolConfiguration(maximumConnections: 1)
            let pool = PostgresPool(target: fixture.target, configuration: one, logger: StoreFixture.logger)
            let feed = PostgresPool(target: fixture.target, configuration: one, logger: StoreFixture.logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await pool.run() }
                group.addTask { await feed.run() }
                let store = PostgresAuthKeyStore(pool: pool, feedPool: feed, logger: StoreFixture.logger)
                let hanging = Task { try await pool.query("SELECT pg_sleep(30)") }
                while pool.statistics.leased == 0 { try await Task.sleep(for: .milliseconds(5)) }
                _ = try await store.changes(since: nil) { _ in }
                #expect(try await store.find([Token.generate().digest]) == [])
                #expect(pool.statistics.leased == 1)
                hanging.cancel()
                await store.close()
                group.cancelAll()
            }
        }
    }

    @Test("after a read that timed out, the next one may take longer")
    func timeout() async throws {
        try await StoreFixture.with { fixture in
            let store = PostgresAuthKeyStore(
                pool: fixture.pool, readTimeout: .milliseconds(200), logger: StoreFixture.logger)
            let watermark = try await store.changes(since: nil) { _ in }.watermark
            try await fixture.sql("BEGIN; LOCK TABLE auth_keys IN ACCESS EXCLUSIVE MODE")
            await #expect(throws: StoreError.self) { _ = try await store.changes(since: watermark) { _ in } }
            async let second = store.changes(since: watermark) { _ in }
            try await Task.sleep(for: .milliseconds(600))
            try await fixture.sql("COMMIT")
            _ = try await second
        }
    }
}
