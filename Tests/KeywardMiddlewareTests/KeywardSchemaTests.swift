import AuthKeys
import HTTPTypes
import HummingbirdTesting
import KeyAdministration
import KeywardMiddleware
import LibPQ
import Logging
import TestSupport
import Testing

@testable import AuthKeysPostgres

@Suite("Schema and rights for verification in an app")
struct KeywardSchemaTests {
    /// Starts the service, and returns the error of the start; nil if it succeeds.
    private func refusal(
        _ database: String, allowsNewerSchema: Bool = false, recordsUse: Bool = true
    ) async throws -> KeywardError? {
        let keyward = try Keyward(
            database: database, usageInterval: recordsUse ? .seconds(30) : nil, allowsNewerSchema: allowsNewerSchema,
            logger: silent)
        return try await withThrowingTaskGroup(of: KeywardError?.self) { group in
            group.addTask {
                do {
                    try await keyward.run()
                    return nil
                } catch let error as KeywardError {
                    return error
                }
            }
            group.addTask {
                do {
                    try await keyward.ready()
                    return nil
                } catch let error as KeywardError {
                    return error
                }
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    @Test("a database without tables is refused and not changed")
    func empty() async throws {
        let database = try await TestDatabase.create()
        let error = try #require(try await refusal(database.connectionString))
        #expect(error.kind == .schema && error.description.contains("keyward migrate up"))
        let tables = try await Psql.run(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", on: database.connectionString)
        #expect(tables == "0")
        try await database.drop()
    }

    @Test("the oldest supported schema suffices to verify and to count use, and older ones are refused")
    func older() async throws {
        let oldest = MigrationCatalogue.all.filter { $0.version <= VerificationSchema.oldest }
        let database = try await TestDatabase.create()
        try await KeyDatabase.with(database.connectionString, migrations: oldest) { database in
            try await Psql.run("DROP TABLE instances", on: database.connectionString)
            let token = Token.generate()
            let digest = token.digest.bytes.map { "\\" + "\($0 >> 6)\($0 >> 3 & 7)\($0 & 7)" }.joined()
            try await Psql.run(
                """
                WITH k AS (INSERT INTO auth_keys (id, name) VALUES (gen_random_uuid(), 'old') RETURNING id)
                INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four)
                SELECT '\(digest)', id, 'kw', '\(token.lastFour)' FROM k
                """, on: database.connectionString)
            let log = LogLines()
            let keyward = try Keyward(
                database: database.connectionString, logger: Logger(label: "test") { _ in log.handler })
            try await KeywardTests().run(keyward) { client in
                try await client.expect("200 old", from: "/any", .get, bearer(token.value))
                // The table of instances is missing.
                try await eventually("the line") { log.all.contains { $0.contains("heartbeat of this instance") } }
                try await Task.sleep(for: .seconds(6))
            }
            #expect(log.all.count { $0.contains("heartbeat of this instance") } == 1 && log.errors.isEmpty)
            let requests = try await Psql.run("SELECT requests FROM auth_key_usage", on: database.connectionString)
            #expect(requests == "1")
        }
        try await database.drop()

        let older = try await TestDatabase.create()
        try await KeyDatabase.with(older.connectionString, migrations: oldest) { database in
            try await Psql.run(
                "DELETE FROM keyward_migrations WHERE version = \(VerificationSchema.oldest)",
                on: database.connectionString)
            let error = try #require(try await refusal(database.connectionString))
            #expect(error.kind == .schema && error.description.contains("older than this build can read"))
        }
        try await older.drop()
    }

    @Test("a newer schema is refused unless it is allowed, and edited migrations are always refused")
    func newer() async throws {
        try await KeyDatabase.with { database in
            try await Psql.run(
                "INSERT INTO keyward_migrations VALUES (999, 'x', sha256('x'), now(), 0)", on: database.connectionString
            )
            let error = try #require(try await refusal(database.connectionString))
            #expect(error.kind == .schema && error.description.contains("999, newer than this build knows"))
            #expect(try await refusal(database.connectionString, allowsNewerSchema: true) == nil)
            try await Psql.run(
                "UPDATE keyward_migrations SET sha256 = sha256('y') WHERE version = 1", on: database.connectionString)
            let edited = try await refusal(database.connectionString, allowsNewerSchema: true)
            #expect(edited?.kind == .schema)
        }
    }

    @Test(
        "a role with the rights of 'migrate grants --verify-only' can verify keys and count use, and nothing else")
    func role() async throws {
        let server = try await TestServer.start()
        let role = "keyward_app"
        let theirs = try await server.admit(role: role)
        try await KeyDatabase.with(server.connectionString) { database in
            let lacking = try #require(try await refusal(theirs))
            #expect(lacking.kind == .rights && lacking.description.contains("SELECT on auth_key_secrets"))
            for statement in try RuntimeGrants.statements(for: role, to: .verify) {
                try await Psql.run(statement, on: server.connectionString)
            }
            let key = try await database.service.create(KeyRequest(name: "me"))
            let keyward = try Keyward(
                database: theirs, usageInterval: .milliseconds(20), instanceName: "app 1", logger: silent)
            @Sendable func instances() async throws -> String {
                try await Psql.run(
                    "SELECT name, kind FROM instances WHERE seen > now() - interval '10 s'", on: server.connectionString
                )
            }
            try await KeywardTests().run(keyward) { client in
                try await client.expect("200 me", from: "/any", .get, bearer(key.token.value))
                let other = try await database.service.create(KeyRequest(name: "other"))
                try await client.expect("200 other", from: "/any", .get, bearer(other.token.value))
                for _ in 0..<2 {
                    try await client.expect("200 me", from: "/any", .get, bearer(key.token.value))
                    try await Task.sleep(for: .milliseconds(250))
                }
                try await eventually("the heartbeat") { try await instances() == "app 1|middleware" }
                let written = try await eventually { try await database.requests(of: key) == 3 }
                #expect(written)
                try await database.service.deactivate(key.key.id.description)
                let closed = try await eventually {
                    try await client.answer("/any", .get, bearer(key.token.value)) == "401 key_inactive"
                }
                #expect(closed)
            }
            #expect(try await instances().isEmpty)
            for statement in [
                "UPDATE instances SET name = 'x'", "UPDATE instances SET id = gen_random_uuid()",
                "UPDATE instances SET started = now()", "TRUNCATE instances",
                "UPDATE auth_keys SET enabled = true", "INSERT INTO auth_keys DEFAULT VALUES", "DELETE FROM auth_keys",
                "DELETE FROM auth_key_secrets", "DELETE FROM auth_key_usage", "TRUNCATE auth_key_usage",
                "UPDATE auth_key_usage SET terms = 0", "UPDATE auth_key_usage SET is_deactivated = true",
                "UPDATE limit_plans SET limits = '[]'", "DELETE FROM limit_plans", "DELETE FROM owner_limits",
                "INSERT INTO auth_key_credits DEFAULT VALUES", "DELETE FROM auth_key_credits",
                "UPDATE auth_key_credits SET refill_amount = 1",
                "SELECT FROM admin_keys", "SELECT FROM audit_events", "SELECT FROM audit_seals",
                "SELECT FROM idempotency_claims", "DELETE FROM keyward_migrations", "CREATE TABLE x ()",
            ] {
                do {
                    try await Psql.run(statement, on: theirs)
                    Issue.record("allowed: \(statement)")
                } catch let error as TestSupportError {
                    #expect("\(error)".contains("permission denied"), "\(statement): \(error)")
                }
            }
            try await Psql.run(
                """
                REVOKE ALL ON instances, limit_levels, limit_quotas, limit_revision, limit_slots, limit_plans, owner_limits, auth_key_credits
                FROM \(role)
                """, on: server.connectionString)
            #expect(try await refusal(theirs) == nil)
            try await Psql.run(
                "REVOKE INSERT, UPDATE ON auth_key_usage, auth_key_secret_usage, auth_key_usage_days FROM \(role)",
                on: server.connectionString)
            #expect(try await refusal(theirs)?.kind == .rights)
            #expect(try await refusal(theirs, recordsUse: false) == nil)
        }
        await server.destroy()
    }
}
