import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import TestSupport
import Testing

/// Tests in which a trigger on the trail raises an SQLSTATE. Every change writes to the trail, so it fails in the
/// statement or at its commit.
@Suite("Temporary failures of the database", .serialized, .timeLimit(.minutes(10)))
struct TransientFailureTests {
    /// The SQLSTATEs of temporary failures (PostgreSQL manual, appendix A).
    private static let transient = [
        "53000", "53100", "53200", "53300", "53400", "55P03", "57014", "57P01", "58000", "58030", "25006", "25P03",
        "40001",
        "40P01", "42P01", "42703", "42883", "42501",
    ]

    @Test("changes fail as unavailable, in a statement and at its commit", arguments: [false, true])
    func unavailable(atCommit: Bool) async throws {
        try await StoreFixture.with { fixture in
            let keys = try await StoreChange.prepare(fixture.store)
            try await Self.failInserts(atCommit: atCommit, fixture)
            for sqlState in Self.transient {
                try await Self.raise(sqlState, fixture)
                for change in StoreChange.allCases {
                    let error = await Self.failure {
                        try await change.run(fixture.store, on: keys, requestID: "refused")
                    }
                    #expect(error?.kind == .unavailable, "\(sqlState) \(change): \(error.map { "\($0)" } ?? "done")")
                }
            }
            #expect(try await fixture.admin.query("SELECT FROM audit_events WHERE request_id = 'refused'").rows.isEmpty)
        }
    }

    @Test("a temporary conflict of transactions is retried", arguments: [false, true])
    func retried(atCommit: Bool) async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql("CREATE SEQUENCE tries")
            try await Self.failInserts(atCommit: atCommit, fixture)
            for sqlState in ["40001", "40P01"] {
                try await Self.raise(sqlState, if: "nextval('tries') % 3 <> 0", fixture)
                // An import is not repeated, because its stream of lines cannot be read again.
                for change in StoreChange.allCases where change != .importKeys {
                    let keys = try await StoreChange.prepare(fixture.store)
                    let request = "\(sqlState) \(change)"
                    try await change.run(fixture.store, on: keys, requestID: request)
                    let events = try await fixture.admin.query(
                        "SELECT FROM audit_events WHERE request_id = $1", [.text(request)])
                    #expect(events.rows.count == 1, "\(request)")
                }
            }
        }
    }

    @Test("reads fail as unavailable while a table is missing")
    func missingTable() async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql("ALTER TABLE auth_keys RENAME TO elsewhere")
            let listed = await Self.failure { _ = try await fixture.store.list(KeyQuery()) }
            #expect(listed?.kind == .unavailable)
            let created = await Self.failure {
                _ = try await fixture.store.create(StoreConformance.newKey(), claim: nil)
            }
            #expect(created?.kind == .unavailable)
            try await fixture.sql("ALTER TABLE elsewhere RENAME TO auth_keys")
            try await fixture.create(StoreConformance.newKey())
        }
    }

    @Test("an error of the store itself keeps its detail")
    func ownFailures() async throws {
        try await StoreFixture.with { fixture in
            try await fixture.sql(
                """
                CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE TRIGGER swallow BEFORE INSERT ON admin_keys FOR EACH ROW EXECUTE FUNCTION swallow()
                """)
            let keys = StoreChange.Keys(active: .generate(), deactivated: .generate(), adminKey: .generate())
            let error = await Self.failure {
                try await StoreChange.createAdminKey.run(fixture.store, on: keys, requestID: "r")
            }
            #expect(error == StoreError(.failed, detail: "no row for a new admin key"))
        }
    }

    @Test("concurrent changes succeed although transactions are serializable by default")
    func serializable() async throws {
        try await StoreFixture.with(defaults: ["default_transaction_isolation": "serializable"]) { fixture in
            let keys = try await StoreChange.prepare(fixture.store)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<24 {
                    group.addTask {
                        let change = [StoreChange.create, .createWithClaim, .update, .rotate][number % 4]
                        try await change.run(fixture.store, on: keys, requestID: "\(number)")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// Makes each insertion into the trail call a function that `raise` replaces.
    private static func failInserts(atCommit: Bool, _ fixture: StoreFixture) async throws {
        let timing =
            atCommit
            ? "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED"
            : "CREATE TRIGGER fail BEFORE INSERT ON audit_events"
        try await raise("22000", if: "false", fixture)
        try await fixture.sql("\(timing) FOR EACH ROW EXECUTE FUNCTION fail()")
    }

    private static func raise(
        _ sqlState: String, if condition: String = "true", _ fixture: StoreFixture
    ) async throws {
        try await fixture.sql(
            """
            CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF \(condition) THEN RAISE EXCEPTION 'as the test wants' USING ERRCODE = '\(sqlState)'; END IF;
                RETURN NEW;
            END
            $$
            """)
    }

    private static func failure(_ body: () async throws -> Void) async -> StoreError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? StoreError ?? StoreError(.failed, detail: "\(error)")
        }
    }
}
