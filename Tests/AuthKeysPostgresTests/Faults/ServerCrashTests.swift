import AuthKeysPostgres
import Foundation
import Glibc
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import TestSupport
import Testing

@testable import AuthKeys

/// After a crash, PostgreSQL reuses the transaction ids of unflushed rollbacks. `KEYWARD_CRASH_ROUNDS` sets the number
/// of crashes.
@Suite("Change feed across crashes of PostgreSQL", .serialized)
struct ServerCrashTests {
    private static let rounds = ProcessInfo.processInfo.environment["KEYWARD_CRASH_ROUNDS"].flatMap(Int.init) ?? 15

    @Test("an instance that does not read during a crash misses no revocation", .timeLimit(.minutes(40)))
    func heldUp() async throws {
        let server = try await TestServer.start(settings: ["wal_writer_delay": "10s"])
        let pool = PostgresPool(target: try PostgresTarget(server.connectionString), logger: StoreFixture.logger)
        let store = PostgresAuthKeyStore(pool: pool, logger: StoreFixture.logger)
        let (clock, index) = (ManualClock(), KeyIndex())
        let reads = ReadWaiters(time: clock.source)
        let follower = IndexFollower(
            store: store, hints: SilentHints(), index: index,
            freshness: IndexFreshness(maxStaleness: .seconds(3_600), time: clock.source), reads: reads,
            time: clock.source, logger: StoreFixture.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            _ = try await pool.withConnection { connection in
                try await MigrationRunner(logger: StoreFixture.logger).up(on: connection)
            }
            let watermark = try await follower.load()
            group.addTask { await follower.follow(from: watermark) }
            var reused = 0
            for round in 0..<Self.rounds {
                reused += try await crash(round, server, store, pool, index) { await read(clock, reads) }
            }
            #expect(reused > 0, "no crash reused ids, so this test proves nothing")
            await pool.close()
            group.cancelAll()
        }
        await server.destroy()
    }

    /// Crashes the server after transaction ids that no rollback made durable, revokes keys with the same ids, and
    /// compares.
    /// - Returns: 1 if ids were reused.
    private func crash(
        _ round: Int, _ server: TestServer, _ store: PostgresAuthKeyStore, _ pool: PostgresPool, _ index: KeyIndex,
        read: () async -> Void
    ) async throws -> Int {
        let keys = (0..<4).map { StoreConformance.newKey(name: "\(round)-\($0)") }
        for key in keys { _ = try await store.create(key, claim: nil) }
        if round % 3 == 1 { try await Psql.run("CHECKPOINT", on: server.connectionString) }
        var rolledBack = Array(repeating: "BEGIN; SELECT pg_current_xact_id(); ROLLBACK", count: 30)
        rolledBack.append("SELECT pg_snapshot_xmax(pg_current_snapshot())")
        let before = try await Psql.run(rolledBack.joined(separator: ";"), on: server.connectionString)
        let highest = UInt64(before.split(separator: "\n").last ?? "") ?? 0
        await read()
        let checkpoint = try await Psql.run(
            "SELECT checkpoint_lsn FROM pg_control_checkpoint()", on: server.connectionString)
        let victim = try await PostgresConnection.connect(
            to: try PostgresTarget(server.connectionString), logger: StoreFixture.logger)
        // Without a commit in between, which would make the rollbacks durable.
        kill(try await victim.query("SELECT pg_backend_pid()").rows[0].int32(0), SIGKILL)
        await victim.close()
        var after = highest
        // The postmaster detects the death of a backend with a delay. The recovery ends with a checkpoint.
        let isBack = await eventually {
            let text = try? await Psql.run(
                """
                SELECT pg_snapshot_xmax(pg_current_snapshot()) FROM pg_control_checkpoint()
                WHERE checkpoint_lsn <> '\(checkpoint)'
                """, on: server.connectionString)
            guard let text, let next = UInt64(text) else { return false }
            after = next
            return true
        }
        #expect(isBack)
        for key in keys.prefix(3) {
            #expect(await eventually { (try? await store.deactivate(key.id)) != nil })
        }
        // Other transactions use ids, so that the numbers do not seem to have gone back.
        let used = Array(repeating: "BEGIN; SELECT pg_current_xact_id(); ROLLBACK", count: 60).joined(separator: ";")
        try await Psql.run(used, on: server.connectionString)
        await read()
        for key in keys.prefix(3) {
            #expect(index.state(of: key.digest) == .deactivated, "round \(round)")
        }
        #expect(index.state(of: keys[3].digest) == .active, "round \(round)")
        return after < highest ? 1 : 0
    }

    /// Lets the instance read, and waits until a read that began after this call has succeeded.
    private func read(_ clock: ManualClock, _ reads: ReadWaiters) async {
        let hasRead = await eventually {
            async let outcome = reads.next()
            let ticking = Task {
                while (try? await Task.sleep(for: .milliseconds(5))) != nil { clock.advance(by: .milliseconds(100)) }
            }
            defer { ticking.cancel() }
            return await outcome == .worked
        }
        #expect(hasRead)
    }
}

/// A source without hints: the instance reads only when its clock advances.
private struct SilentHints: ChangeHints {
    var hints: AsyncStream<Void> { AsyncStream { $0.finish() } }
}
