import AuthKeysPostgres
import KeyAdministrationPostgres
import LibPQ
import Synchronization
import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

/// The ways in which an operator restores an earlier state of a database under a running instance.
@Suite("Restores under a running instance", .serialized)
struct RestoreTests {
    enum Way: String, CaseIterable, CustomTestStringConvertible {
        case dropAndRestore = "DROP DATABASE, CREATE DATABASE, pg_restore"
        case cleanRestore = "pg_restore --clean"
        case cleanScript = "psql < pg_dump --clean"
        case dataOnly = "pg_restore --data-only --disable-triggers"
        case files = "the data folder of a stopped server"
        case promotion = "a standby that lacks the tail is promoted"

        var testDescription: String { rawValue }
    }

    /// The keys of one round, named after their fate before the restore.
    private struct Keys {
        let (untouched, revoked, deleted, rotated, later): (NewKey, NewKey, NewKey, NewKey, NewKey)
    }

    @Test(
        "after a restore, revoked keys stay revoked, valid ones valid, and the revocations are written back",
        arguments: Way.allCases)
    func restore(_ way: Way) async throws {
        let server = try await TestServer.start()
        try await FaultInstance.with(server) { instance in
            let (untouched, revoked) = (try await instance.create("untouched"), try await instance.create("revoked"))
            let (deleted, rotated) = (try await instance.create("deleted"), try await instance.create("rotated"))
            let many = try await instance.createMany(200)
            let backup = try await Self.backUp(way, server)
            let later = try await instance.createAfterRestart("later")
            // Instances do this once a minute.
            try await instance.sql("INSERT INTO feed_epochs DEFAULT VALUES")
            _ = try await instance.store.deactivate(revoked.id)
            _ = try await instance.store.deactivate(deleted.id)
            _ = try await instance.store.delete(deleted.id, version: nil)
            let rotation = Rotation(
                id: .generate(), secret: NewSecret(Token.generate()), grace: .zero)
            _ = try await instance.store.rotate(rotated.id, version: nil, rotation, claim: nil)
            let ended = [revoked, deleted, rotated]
            #expect(await eventually { ended.allSatisfy { !instance.accepts($0) } && instance.accepts(later) })
            #expect(instance.accepts(rotation.secret.digest))

            let watch = Watch()
            let watching = Task {
                while !Task.isCancelled {
                    for key in ended where instance.accepts(key) { watch.note("\(key.attributes.name) came back") }
                    for key in [untouched] + many where !instance.accepts(key) {
                        watch.note("\(key.attributes.name) refused")
                    }
                    try? await Task.sleep(for: .milliseconds(1))
                }
            }
            try await Self.restore(way, backup, server)
            // The database regains the revocations, and the instance matches the database.
            let isWrittenBack = await eventually {
                let revoked = try? await instance.store.key(revoked.id)
                let entries = try? await instance.store.find([deleted.digest, rotated.digest])
                return revoked?.deactivatedAt != nil && entries?.count == 2
                    && entries?.allSatisfy { $0.hasEnded(at: .now) } == true
            }
            #expect(isWrittenBack)
            #expect(await eventually { !instance.accepts(later) })
            #expect(await eventually { instance.verification.freshness.status == .ready })
            watching.cancel()
            await watching.value
            #expect(watch.notes.isEmpty, "\(watch.notes.prefix(5))")
            let left = await Self.settle { try await instance.differences() }
            #expect(left == [], "\(left.prefix(5))")
            try await Self.checkTrail(of: instance, ended: [revoked, deleted, rotated])
        }
        await server.destroy()
    }

    @Test("the reconciliation finds a revocation that was undone with triggers off, and keeps it")
    func triggersOff() async throws {
        let server = try await TestServer.start()
        try await FaultInstance.with(server, reconciliation: .seconds(3)) { instance in
            let (revoked, widened) = (try await instance.create("revoked"), try await instance.create("widened"))
            let (vanished, missed) = (try await instance.create("vanished"), StoreConformance.newKey(name: "missed"))
            _ = try await instance.store.deactivate(revoked.id)
            #expect(
                await eventually {
                    !instance.accepts(revoked) && instance.accepts(widened) && instance.accepts(vanished)
                })
            let (id, digest) = (missed.id.description, Hex.text(missed.digest.bytes))
            try await instance.sql(
                """
                SET session_replication_role = replica;
                UPDATE auth_keys SET deactivated_at = NULL, version = 1 WHERE name = 'revoked';
                UPDATE auth_keys SET enabled = false WHERE name = 'widened';
                DELETE FROM auth_key_secrets WHERE key_id = (SELECT id FROM auth_keys WHERE name = 'vanished');
                DELETE FROM auth_keys WHERE name = 'vanished';
                INSERT INTO auth_keys (id, name, changed_xid) VALUES ('\(id)', 'missed', '3');
                INSERT INTO auth_key_secrets (digest, key_id, prefix, last_four) VALUES ('\\x\(digest)', '\(id)', 'kw', 'abcd')
                """)
            #expect(await eventually { !instance.accepts(widened) })
            #expect(await eventually { !instance.accepts(vanished) })
            #expect(await eventually { instance.accepts(missed) })
            #expect(
                await eventually {
                    (try? await instance.store.key(revoked.id))?.deactivatedAt != nil
                })
            #expect(!instance.accepts(revoked))
            let left = await Self.settle { try await instance.differences() }
            #expect(left == [], "\(left)")
        }
        await server.destroy()
    }

    @Test("an accepted restore reactivates keys, and is recorded in the trail")
    func accepted() async throws {
        let server = try await TestServer.start()
        try await FaultInstance.with(server) { instance in
            let revoked = try await instance.create("revoked")
            _ = try await instance.store.deactivate(revoked.id)
            #expect(await eventually { !instance.accepts(revoked) })
            try await instance.sql(
                """
                BEGIN; SET LOCAL session_replication_role = replica;
                UPDATE auth_keys SET deactivated_at = NULL WHERE name = 'revoked'; COMMIT
                """)
            try await instance.store.order(.acceptDatabase, by: .test)
            #expect(await eventually { instance.accepts(revoked) })
            try await Task.sleep(for: .seconds(2))
            #expect(instance.accepts(revoked))
            #expect(try await instance.store.key(revoked.id)?.deactivatedAt == nil)
            let orders = try await instance.store.events(AuditQuery(action: .instancesResync))
            #expect(orders.count == 1 && orders.first?.changes.contains("accept_database") == true)
        }
        await server.destroy()
    }

    @Test("nothing is written into an incomplete database")
    func halfRestored() async throws {
        let server = try await TestServer.start()
        try await FaultInstance.with(server) { instance in
            let key = try await instance.create("key")
            #expect(await eventually { instance.accepts(key) })
            let dump = try TestFolder.make("dump")
            try await Psql.tool(
                "pg_dump",
                ["--section=pre-data", "-f", dump, "-d", server.connectionString(database: FaultInstance.database)])
            try await Psql.run(
                "DROP SCHEMA public CASCADE", "CREATE SCHEMA public",
                on: server.connectionString(database: FaultInstance.database))
            try await Psql.tool(
                "psql", ["-Xq", "-f", dump, "-d", server.connectionString(database: FaultInstance.database)])
            // There are now tables without data, triggers and keys.
            await #expect(throws: StoreError.self) { _ = try await instance.create("between") }
            await #expect(throws: StoreError.self) { _ = try await instance.store.seal() }
            await #expect(throws: StoreError.self) {
                try await instance.store.record([
                    UsageCount(digest: key.digest, keyID: key.id, day: 20_000, requests: 1, lastUsedAt: .now)
                ])
            }
            await #expect(throws: StoreError.self) { try await instance.store.feed.mark() }
            #expect(await eventually { instance.verification.freshness.status == .degraded })
            #expect(instance.accepts(key))
            for table in ["auth_keys", "auth_key_usage", "audit_events", "audit_seals", "feed_epochs"] {
                let rows = try await Psql.run(
                    "SELECT count(*) FROM \(table)", on: server.connectionString(database: FaultInstance.database))
                #expect(rows == "0", "\(table)")
            }
        }
        await server.destroy()
    }

    // MARK: - Backups and restores

    private static func backUp(_ way: Way, _ server: TestServer) async throws -> String {
        let target = server.connectionString(database: FaultInstance.database)
        let file = try TestFolder.make("backup")
        switch way {
        case .dropAndRestore, .cleanRestore, .dataOnly:
            try await Psql.tool("pg_dump", ["-Fc", "-f", file, "-d", target])
        case .cleanScript: try await Psql.tool("pg_dump", ["--clean", "--if-exists", "-f", file, "-d", target])
        case .files, .promotion:
            await server.stop()
            let copy = try await server.copyData()
            try await server.start()
            return copy
        }
        return file
    }

    private static func restore(_ way: Way, _ backup: String, _ server: TestServer) async throws {
        let target = server.connectionString(database: FaultInstance.database)
        switch way {
        case .dropAndRestore:
            try await Psql.run("DROP DATABASE \(FaultInstance.database) WITH (FORCE)", on: server.connectionString)
            try await Psql.run("CREATE DATABASE \(FaultInstance.database)", on: server.connectionString)
            try await Psql.tool("pg_restore", ["-d", target, backup])
        case .cleanRestore: try await Psql.tool("pg_restore", ["--clean", "--if-exists", "-d", target, backup])
        case .cleanScript: try await Psql.tool("psql", ["-Xq", "-v", "ON_ERROR_STOP=1", "-f", backup, "-d", target])
        case .dataOnly:
            let tables = try await Psql.run(
                "SELECT string_agg(quote_ident(tablename), ',') FROM pg_tables WHERE schemaname = 'public'", on: target)
            try await Psql.run(
                "SET session_replication_role = replica; TRUNCATE \(tables)", on: target)
            try await Psql.tool("pg_restore", ["--data-only", "--disable-triggers", "-d", target, backup])
        case .files, .promotion:
            await server.stop()
            try await server.replaceData(with: backup, promoted: way == .promotion)
            try await server.start()
        }
    }

    /// Repeats until there are no differences, for at most two minutes.
    private static func settle(_ differences: () async throws -> [String]) async -> [String] {
        var found = ["not asked"]
        _ = await eventually {
            found = (try? await differences()) ?? ["cannot be asked"]
            return found.isEmpty
        }
        return found
    }

    private static func checkTrail(of instance: FaultInstance, ended: [NewKey]) async throws {
        let events = try await instance.store.events(AuditQuery(actor: AuditActor.system.text))
        let written = events.filter { $0.changes.contains("the database had lost this") }
        for key in ended { #expect(written.count { $0.subject == key.id } == 1, "\(key.attributes.name)") }
        while try await instance.store.seal() > 0 {}
        var verifier = ChainVerifier()
        for link in try await instance.store.sealed(after: 0, limit: 10_000) { verifier.take(link) }
        #expect(verifier.isIntact && verifier.sealedCount > 0, "\(verifier.findings)")
    }
}

/// The violations that a watching task observed.
private final class Watch: Sendable {
    private let storage = Mutex<[String]>([])
    var notes: [String] { storage.withLock { $0 } }
    func note(_ text: String) { storage.withLock { $0.append(text) } }
}
