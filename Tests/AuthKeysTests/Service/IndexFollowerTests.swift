import Logging
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Following the changes")
struct IndexFollowerTests {
    let clock = ManualClock()
    let store: InMemoryStore
    let index = KeyIndex()
    let freshness: IndexFreshness
    let follower: IndexFollower

    init() {
        store = InMemoryStore(time: clock.source)
        freshness = IndexFreshness(maxStaleness: .seconds(60), time: clock.source)
        follower = IndexFollower(
            store: store, hints: store, index: index, freshness: freshness, time: clock.source,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    private func state(_ key: NewKey) -> KeyEntry.State? {
        index.withKey(for: key.digest) { $0.state }
    }

    private func following(_ body: () async throws -> Void) async throws {
        let watermark = try await follower.load()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await follower.follow(from: watermark) }
            try await body()
            group.cancelAll()
        }
    }

    @Test("loads all, then follows on hints alone")
    func hints() async throws {
        let old = StoreConformance.newKey()
        _ = try await store.create(old, claim: nil)
        try await following {
            #expect(state(old) == .active && freshness.standing == .ready)
            let new = StoreConformance.newKey()
            _ = try await store.create(new, claim: nil)
            #expect(await eventually { state(new) == .active })
            _ = try await store.deactivate(old.id)
            #expect(await eventually { state(old) == .deactivated })
        }
    }

    @Test("looks once a second without any hint")
    func polling() async throws {
        let silent = IndexFollower(
            store: store, hints: NoHints(), index: index, freshness: freshness, time: clock.source,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let watermark = try await silent.load()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await silent.follow(from: watermark) }
            let key = StoreConformance.newKey()
            _ = try? await store.create(key, claim: nil)
            #expect(await eventually { clock.sleepers == 1 })
            #expect(state(key) == nil)
            clock.advance(by: .seconds(1))
            #expect(await eventually { state(key) == .active })
            group.cancelAll()
        }
    }

    @Test("a database that is away and comes back is noticed both times, and nothing is lost")
    func outage() async throws {
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        try await following {
            #expect(await eventually { clock.sleepers == 1 })
            store.isDown = true
            clock.advance(by: .seconds(1))
            #expect(await eventually { freshness.standing == .degraded })
            #expect(state(key) == .active)
            store.isDown = false
            _ = try await store.deactivate(key.id)
            #expect(await eventually { freshness.standing == .ready })
            #expect(await eventually { state(key) == .deactivated })
        }
    }

    @Test("another history means a full load, which forgets what is not in it")
    func history() async throws {
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        try await following {
            store.forget(key.id)
            store.beginHistory("two")
            _ = try await store.create(StoreConformance.newKey(), claim: nil)
            #expect(await eventually { state(key) == nil && index.count == 1 })
        }
    }
}

private struct NoHints: ChangeHints {
    var hints: AsyncStream<Void> { AsyncStream { $0.finish() } }
}
