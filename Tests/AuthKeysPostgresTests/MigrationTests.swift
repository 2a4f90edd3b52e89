import AuthKeys
import Foundation
import KeyAdministration
import LibPQ
import Logging
import TestSupport
import Testing

@testable import AuthKeysPostgres
@testable import KeyAdministrationPostgres

@Suite("Migrations")
struct MigrationTests {
    private let one = Migration(version: 1, name: "one", sql: "CREATE TABLE one (id int)")
    private let two = Migration(version: 2, name: "two", sql: "CREATE TABLE two (id int); INSERT INTO two VALUES (1)")

    private func applied(_ migration: Migration, checksum: [UInt8]? = nil) -> AppliedMigration {
        AppliedMigration(
            version: migration.version, name: migration.name, checksum: checksum ?? migration.checksum,
            appliedAt: "2026-01-01T00:00:00Z", milliseconds: 1)
    }

    private func connected(_ body: (PostgresConnection) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        let connection = try await connect(database)
        try await body(connection)
        await connection.close()
        try await database.drop()
    }

    private func connect(_ database: TestDatabase) async throws -> PostgresConnection {
        try await PostgresConnection.connect(
            to: PostgresTarget(database.connectionString), logger: StoreFixture.logger)
    }

    private func runner(_ migrations: [Migration], lockAttempts: Int = 240) -> MigrationRunner {
        MigrationRunner(migrations: migrations, lockAttempts: lockAttempts, logger: StoreFixture.logger)
    }

    private func refusal(_ runner: MigrationRunner, on connection: PostgresConnection) async -> String {
        do {
            _ = try await runner.up(on: connection)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    private func count(_ connection: PostgresConnection, _ sql: String) async throws -> Int64 {
        try #require(try await connection.query(sql).rows.first).int64(0)
    }

    @Test("the catalogue matches the folder, in order and byte for byte")
    func catalogue() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }
            .sorted()
        let shipped = MigrationCatalogue.all.map { migration in
            let number = String(migration.version)
            return String(repeating: "0", count: 4 - number.count) + number + "_\(migration.name).sql"
        }
        #expect(shipped == files)
        for (migration, file) in zip(MigrationCatalogue.all, files) {
            #expect(try String(contentsOf: folder.appending(path: file), encoding: .utf8) == migration.sql)
        }
    }

    @Test("a plan contains pending migrations and those of a newer build")
    func plan() throws {
        let newer = applied(Migration(version: 3, name: "three", sql: "x"))
        let plan = try MigrationPlan(available: [one, two], applied: [applied(one), applied(two), newer])
        #expect(plan.pending.isEmpty && plan.newer == [newer])
        #expect(try MigrationPlan(available: [two, one], applied: []).pending == [one, two])
    }

    @Test("edited, missing and late migrations are refused")
    func refusals() {
        func refusal(_ available: [Migration], _ applied: [AppliedMigration]) -> String {
            do {
                _ = try MigrationPlan(available: available, applied: applied)
                return "none"
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal([one], [applied(one, checksum: [1])]).contains("never edited"))
        #expect(refusal([two], [applied(one), applied(two)]).contains("does not have it"))
        #expect(refusal([one, two], [applied(two)]).contains("only appended"))
        let replaced = applied(Migration(version: 1, name: "auth_keys", sql: "x"))
        #expect(refusal(MigrationCatalogue.all, [replaced]).contains("docs/upgrading.md"))
    }

    @Test("migrations are applied once and recorded")
    func up() async throws {
        try await connected { connection in
            #expect(try await runner([one]).up(on: connection) == [one])
            #expect(try await runner([one, two]).up(on: connection) == [two])
            #expect(try await runner([one, two]).up(on: connection).isEmpty)
            let (applied, plan) = try await runner([one, two]).status(on: connection)
            #expect(applied.map(\.name) == ["one", "two"] && plan.pending.isEmpty)
            #expect(applied.map(\.checksum) == [one.checksum, two.checksum])
        }
    }

    @Test("with ten concurrent instances, each migration runs once and all instances start", .timeLimit(.minutes(5)))
    func tenAtOnce() async throws {
        let database = try await TestDatabase.create()
        let slow = Migration(
            version: 3, name: "slow",
            sql: "SELECT pg_sleep(0.3); CREATE TABLE three AS SELECT 1; INSERT INTO two VALUES (2)")
        let done = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    let connection = try await connect(database)
                    let done = try await runner([one, two, slow]).up(on: connection).count
                    await connection.close()
                    return done
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(done == 3)
        let connection = try await connect(database)
        #expect(try await count(connection, "SELECT count(*) FROM two") == 2)
        #expect(try await count(connection, "SELECT count(*) FROM keyward_migrations") == 3)
        await connection.close()
        try await database.drop()
    }

    @Test("a failed migration leaves no change and no lock, and its error contains the server's message")
    func failure() async throws {
        try await connected { connection in
            let broken = Migration(
                version: 2, name: "broken", sql: "CREATE TABLE half (id int); SELECT no_such_function()")
            let reason = await refusal(runner([one, broken]), on: connection)
            #expect(reason.contains("migration 2 (broken)") && reason.contains("no_such_function"))
            let left = try await count(
                connection,
                """
                SELECT (SELECT count(*) FROM pg_class WHERE relname = 'half')
                    + (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database
                        = (SELECT oid FROM pg_database WHERE datname = current_database()))
                """)
            #expect(left == 0)
            let kept = try await count(connection, "SELECT count(*) FROM keyward_migrations")
            #expect(kept == 1)
            let fixed = try await runner([one, two]).up(on: connection)
            #expect(fixed == [two])
        }
    }

    @Test("a migration may exceed the statement timeouts of the connection and of the role")
    func long() async throws {
        let database = try await TestDatabase.create()
        try await Psql.run(
            "ALTER DATABASE \(database.name) SET statement_timeout = '400ms'", on: database.maintenanceConnectionString)
        let connection = try await PostgresConnection.connect(
            to: PostgresTarget(database.connectionString),
            settings: ConnectionSettings(queryTimeout: .milliseconds(400)), logger: StoreFixture.logger)
        let long = Migration(version: 2, name: "long", sql: "SELECT pg_sleep(1.5); CREATE TABLE two (id int)")
        #expect(try await runner([one, long]).up(on: connection) == [one, long])
        // The limit for short statements applies again.
        await #expect(throws: PostgresError.self) { try await connection.execute(script: "SELECT pg_sleep(5)") }
        await connection.close()
        try await database.drop()
    }

    @Test("a migration that loses a deadlock is retried a limited number of times")
    func again() async throws {
        try await connected { connection in
            // A sequence is not rolled back.
            try await connection.execute(script: "CREATE SEQUENCE tries")
            func losing(_ times: Int) -> Migration {
                Migration(
                    version: 1, name: "losing",
                    sql: """
                        DO $$ BEGIN
                            IF nextval('tries') <= \(times) THEN RAISE EXCEPTION 'lost' USING ERRCODE = 'deadlock_detected'; END IF;
                        END $$
                        """)
            }
            let refused = await refusal(runner([losing(100)]), on: connection)
            #expect(refused.contains("migration 1 (losing)") && refused.contains("lost"))
            #expect(try await count(connection, "SELECT last_value FROM tries") == 3)
            #expect(try await runner([losing(5)]).up(on: connection) == [losing(5)])
        }
    }

    @Test("for a role that may not create pg_trgm, only the text index is missing")
    func withoutTrigrams() async throws {
        try await connected { connection in
            let role = "limited_\(UInt64.random(in: 0 ..< .max))"
            try await connection.execute(
                script: """
                    CREATE ROLE \(role); CREATE SCHEMA \(role) AUTHORIZATION \(role);
                    SET search_path = \(role); SET ROLE \(role)
                    """)
            let applied = try await MigrationRunner(logger: StoreFixture.logger).up(on: connection)
            #expect(applied == MigrationCatalogue.all)
            let indexes = try await connection.query(
                "SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema"
            ).rows.map { try $0.text(0) }
            #expect(indexes.contains("auth_keys_scopes") && !indexes.contains("auth_keys_text"))
            let found = ListSQL.page(KeyQuery(text: "some text"), by: .walk)
            #expect(try await connection.query(found.sql, found.parameters).rows.isEmpty)
            try await connection.execute(script: "RESET ROLE; DROP OWNED BY \(role) CASCADE; DROP ROLE \(role)")
        }
    }

    @Test("triggers call PostgreSQL's own functions and find their tables, despite decoys and other search paths")
    func ownFunctions() async throws {
        try await StoreFixture.with { fixture in
            for number in 0..<3 {
                try await fixture.create(
                    StoreConformance.newKey(scopes: ["documents:read"], labels: ["number": "\(number)"]))
            }
            func terms() async throws -> [Int64] {
                try await fixture.admin.query("SELECT terms FROM auth_key_usage ORDER BY key_id").rows.map {
                    try $0.int64(0)
                }
            }
            let before = try await terms()
            // Each is a better match than PostgreSQL's function if the argument types are not explicit.
            let decoys = [
                "hashtextextended(text, integer) RETURNS bigint", "unnest(text[]) RETURNS SETOF text",
                "clock_timestamp(VARIADIC integer[]) RETURNS timestamptz", "bit_or(bigint[]) RETURNS bigint",
                "taken(bigint, integer) RETURNS bigint",
            ]
            for decoy in decoys {
                try await fixture.sql(
                    "CREATE FUNCTION \(decoy) LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''a decoy ran''; END'")
            }
            try await fixture.sql(
                "CREATE OPERATOR & (FUNCTION = taken, LEFTARG = bigint, RIGHTARG = integer)")
            try await fixture.sql("UPDATE auth_keys SET labels = '{}'")
            try await fixture.sql(
                "UPDATE auth_keys SET labels = l FROM (SELECT id AS i, jsonb_build_object('number', (row_number() OVER (ORDER BY created_at) - 1)::text) AS l FROM auth_keys) t WHERE i = id"
            )
            #expect(try await terms() == before && Set(before).count == 3)
            // Manually, with another search path.
            let schema = try await fixture.admin.query("SELECT current_schema()::text").rows.map { try $0.text(0) }[0]
            try await fixture.sql(
                """
                SET search_path = pg_catalog;
                UPDATE \(schema).auth_keys SET deactivated_at = clock_timestamp();
                UPDATE \(schema).auth_key_secrets SET expires_at = clock_timestamp();
                INSERT INTO \(schema).auth_key_secrets (digest, key_id, prefix, last_four) SELECT '\\xabababababababababababababababababababababababababababababababab', id, 'kw', 'abcd' FROM \(schema).auth_keys LIMIT 1;
                DELETE FROM \(schema).auth_key_secrets WHERE last_four = 'abcd';
                DELETE FROM \(schema).auth_keys;
                RESET search_path;
                """)
            for table in ["auth_keys", "auth_key_usage", "auth_key_secret_usage"] {
                #expect(try await fixture.admin.query("SELECT FROM \(table)").rows.isEmpty, "\(table)")
            }
            #expect(try await fixture.admin.query("SELECT FROM auth_key_tombstones").rows.count == 4)
        }
    }

    @Test("the deletion of a key deletes its credits")
    func credits() async throws {
        try await StoreFixture.with { fixture in
            let (kept, gone) = (StoreConformance.newKey(), StoreConformance.newKey())
            for key in [kept, gone] {
                try await fixture.create(key)
                try await fixture.sql("INSERT INTO auth_key_credits (key_id, remaining) VALUES ('\(key.id)', 5)")
            }
            try await fixture.sql("UPDATE auth_keys SET deactivated_at = clock_timestamp()")
            #expect(try await count(fixture.admin, "SELECT count(*) FROM auth_key_credits") == 2)
            try await fixture.sql("DELETE FROM auth_keys WHERE id = '\(gone.id)'")
            let left = try await fixture.admin.query("SELECT key_id FROM auth_key_credits").rows.map { try $0.uuid(0) }
            #expect(left == [PostgresUUID(kept.id)])
        }
    }

    @Test("each change of a plan or of an owner's limits gets a version and a transaction id")
    func stampedLimits() async throws {
        try await StoreFixture.with { fixture in
            for (table, column) in [("limit_plans", "name"), ("owner_limits", "owner")] {
                try await fixture.sql("INSERT INTO \(table) (\(column), limits) VALUES ('gold', '[]')")
                let before = try #require(try await fixture.admin.query("SELECT changed_xid FROM \(table)").rows.first)
                try await fixture.sql("UPDATE \(table) SET limits = '[]', version = 1")
                let after = try #require(
                    try await fixture.admin.query("SELECT changed_xid, version FROM \(table)").rows.first)
                #expect(try after.xid8(0) > before.xid8(0) && after.int64(1) == 2, "\(table)")
            }
        }
    }

    @Test("a database that lacks a table of limits is incomplete")
    func incomplete() async throws {
        for table in ["limit_plans", "owner_limits", "limit_quotas", "auth_key_credits"] {
            try await StoreFixture.with { fixture in
                try await fixture.sql("DROP TABLE \(table)")
                let error = await #expect(throws: StoreError.self) { _ = try await fixture.changes(since: nil) }
                #expect(error?.kind == .unavailable, "\(table)")
            }
        }
    }

    @Test("a migration acquires its locks first, and releases them while other sessions hold them")
    func locks() async throws {
        let database = try await TestDatabase.create()
        let (holder, other) = (try await connect(database), try await connect(database))
        try await holder.execute(script: "CREATE TABLE busy ()")
        try await holder.execute(script: "BEGIN; LOCK TABLE busy IN ACCESS SHARE MODE")
        let migration = Migration(
            version: 1, name: "locking", locks: "LOCK TABLE busy IN ACCESS EXCLUSIVE MODE", sql: "CREATE TABLE made ()")
        let runner = runner([migration])
        async let applied = runner.up(on: other)
        let third = try await connect(database)
        // Other sessions get access repeatedly.
        for _ in 0..<5 {
            _ = try await third.query("SELECT FROM busy")
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try await count(third, "SELECT count(*) FROM pg_class WHERE relname = 'made'") == 0)
        try await holder.execute(script: "COMMIT")
        #expect(try await applied == [migration])
        for connection in [holder, other, third] { await connection.close() }
        try await database.drop()
    }

    @Test("the wait for the advisory lock is limited")
    func locked() async throws {
        let database = try await TestDatabase.create()
        let (holder, other) = (try await connect(database), try await connect(database))
        _ = try await holder.query("SELECT pg_advisory_lock($1)", [.int64(0x6B65_7977_6172_64)])
        #expect(await refusal(runner([one], lockAttempts: 2), on: other).contains("did not finish in time"))
        await holder.close()
        #expect(try await runner([one]).up(on: other) == [one])
        await other.close()
        try await database.drop()
    }

    @Test("migrations of a newer build are accepted")
    func newer() async throws {
        try await connected { connection in
            try await runner([one, two]).up(on: connection)
            #expect(try await runner([one]).up(on: connection).isEmpty)
        }
    }
}
