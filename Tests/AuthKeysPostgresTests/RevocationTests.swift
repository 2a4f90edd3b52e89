import AuthKeys
import AuthKeysPostgres
import KeyAdministration
import KeyAdministrationPostgres
import LibPQ
import TestSupport
import Testing

@Suite("Revocation on another instance")
struct RevocationTests {
    /// Runs `body` with another instance: its own pool, index and feed on the same database.
    private func withInstance(
        _ fixture: StoreFixture, listening: Bool, _ body: @Sendable (KeyIndex) async throws -> Void
    ) async throws {
        let pool = PostgresPool(target: fixture.target, logger: StoreFixture.logger)
        let store = PostgresAuthKeyStore(pool: pool, logger: StoreFixture.logger)
        let hints = PostgresChangeHints(target: fixture.target, logger: StoreFixture.logger)
        let index = KeyIndex()
        let follower = IndexFollower(
            store: store, hints: hints, index: index, freshness: IndexFreshness(maxStaleness: .seconds(60)),
            logger: StoreFixture.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await pool.run() }
            let watermark = try await follower.load()
            if listening { group.addTask { await hints.run() } }
            group.addTask { await follower.follow(from: watermark) }
            try await body(index)
            await pool.close()
            group.cancelAll()
        }
    }

    @Test("a notification delivers a revocation in well under a second", .timeLimit(.minutes(5)))
    func byNotification() async throws {
        try await StoreFixture.with { fixture in
            try await withInstance(fixture, listening: true) { index in
                for _ in 0..<20 {
                    let key = StoreConformance.newKey()
                    try await fixture.create(key)
                    #expect(await eventually { index.withKey(for: key.digest) { $0.state } == .active })
                    _ = try await fixture.store.deactivate(key.id)
                    #expect(await eventually { index.withKey(for: key.digest) { $0.state } == .deactivated })
                }
            }
        }
    }

    @Test("without notifications, a revocation arrives at the next poll", .timeLimit(.minutes(5)))
    func byPolling() async throws {
        try await StoreFixture.with { fixture in
            let key = StoreConformance.newKey()
            try await fixture.create(key)
            try await withInstance(fixture, listening: false) { index in
                _ = try await fixture.store.deactivate(key.id)
                #expect(await eventually { index.withKey(for: key.digest) { $0.state } == .deactivated })
            }
        }
    }
}
