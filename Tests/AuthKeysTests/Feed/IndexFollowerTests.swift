import Logging
import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Index follower")
struct IndexFollowerTests {
    let clock = ManualClock()
    let store: InMemoryStore
    let index = KeyIndex()
    let freshness: IndexFreshness
    let reads: ReadWaiters
    let follower: IndexFollower

    init() {
        store = InMemoryStore(time: clock.source)
        freshness = IndexFreshness(maxStaleness: .seconds(60), time: clock.source)
        reads = ReadWaiters(time: clock.source)
        follower = IndexFollower(
            store: store, hints: store, index: index, freshness: freshness, reads: reads, time: clock.source,
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

    @Test("all keys are loaded, then hints alone trigger reads")
    func hints() async throws {
        let old = StoreConformance.newKey()
        _ = try await store.create(old, claim: nil)
        try await following {
            #expect(state(old) == .active && freshness.status == .ready)
            let new = StoreConformance.newKey()
            _ = try await store.create(new, claim: nil)
            #expect(await eventually { state(new) == .active })
            _ = try await store.deactivate(old.id)
            #expect(await eventually { state(old) == .deactivated })
        }
    }

    @Test("changes are read once a second without a hint")
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

    @Test("an outage and its end are detected, and no change is lost")
    func outage() async throws {
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        try await following {
            #expect(await eventually { clock.sleepers == 1 })
            store.isDown = true
            clock.advance(by: .seconds(1))
            #expect(await eventually { freshness.status == .degraded })
            #expect(state(key) == .active)
            store.isDown = false
            _ = try await store.deactivate(key.id)
            #expect(await eventually { freshness.status == .ready })
            #expect(await eventually { state(key) == .deactivated })
        }
    }

    @Test("a verification that waits for the read after a wake-up is decided by it, in an outage too")
    func wakesUp() async throws {
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        let verifier = KeyVerifier(
            index: index, freshness: freshness,
            lookup: UnknownKeyLookup(store: store, index: index, time: clock.source),
            reads: reads, time: clock.source)
        try await following {
            for round in 0..<300 {
                store.isDown = round % 2 == 1
                #expect(await eventually { clock.sleepers == 1 })
                clock.advance(by: IndexFreshness.pulseTimeout + .milliseconds(1))
                #expect(await verifier.resolve(key.digest) == .found)
            }
        }
    }

    @Test("another history causes a full load, accepted once a second load lacks the same keys")
    func history() async throws {
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        try await following {
            #expect(await eventually { clock.sleepers == 1 })
            store.forget(key.id)
            store.beginHistory("two")
            _ = try await store.create(StoreConformance.newKey(), claim: nil)
            #expect(await eventually { index.count == 2 && clock.sleepers == 2 && freshness.status == .degraded })
            #expect(state(key) == .active, "served until the second load confirms it")
            clock.advance(by: .seconds(2))
            #expect(await eventually { state(key) == nil && index.count == 1 && freshness.status == .ready })
        }
    }

    @Test("a key that a restore adds between two loads is served throughout")
    func restore() async throws {
        let keys = (0..<3).map { _ in StoreConformance.newKey() }
        for key in keys { _ = try await store.create(key, claim: nil) }
        try await following {
            #expect(await eventually { clock.sleepers == 1 })
            for key in keys { store.forget(key.id) }
            store.beginHistory("two")
            for (number, key) in keys.enumerated() {
                _ = try await store.create(key, claim: nil)
                if number == 0 {
                    let isAsked = await eventually { clock.sleepers == 2 }
                    #expect(isAsked)
                }
                if number > 0 { clock.advance(by: .seconds(2)) }
                #expect(keys.allSatisfy { state($0) == .active })
            }
            #expect(await eventually { freshness.status == .ready })
            #expect(keys.allSatisfy { state($0) == .active })
        }
    }

    @Test("entries of a failed read are removed if the database undoes them")
    func tornRead() async throws {
        _ = try await store.create(StoreConformance.newKey(), claim: nil)
        try await following {
            #expect(await eventually { clock.sleepers == 1 })
            let earlier = store.snapshot()
            store.breakNextRead()
            let key = StoreConformance.newKey()
            _ = try await store.create(key, claim: nil)
            #expect(await eventually { state(key) == .active && freshness.status == .degraded })
            store.restore(earlier, as: "one")
            #expect(await eventually { clock.sleepers == 2 })
            clock.advance(by: .seconds(2))
            #expect(await eventually { state(key) == nil && index.count == 1 && freshness.status == .ready })
        }
    }

    @Test("revocations that the database lost are kept and written back once")
    func writeBack() async throws {
        let (revoked, deleted, other) = (
            StoreConformance.newKey(), StoreConformance.newKey(), StoreConformance.newKey()
        )
        for key in [revoked, deleted, other] { _ = try await store.create(key, claim: nil) }
        let saved = store.snapshot()
        _ = try await store.deactivate(revoked.id)
        _ = try await store.deactivate(deleted.id)
        _ = try await store.delete(deleted.id, version: nil)
        try await following {
            #expect(state(revoked) == .deactivated && state(deleted) == nil)
            store.restore(saved, as: "two")
            #expect(await eventually { (try? await store.key(revoked.id))?.deactivatedAt != nil })
            #expect(await eventually { (try? await store.find([deleted.digest]))?.first?.endsSecret == true })
            #expect(await eventually { index.disputedEndCount == 0 })
            #expect(state(revoked) == .deactivated && state(deleted) != .active && state(other) == .active)
            let events = try await store.events(AuditQuery(limit: 100)).filter { $0.actor == "system" }
            #expect(Set(events.map(\.subject)) == [revoked.id, deleted.id] && events.count == 2)
        }
    }

    @Test("an accepted database reactivates the keys whose revocation it lost")
    func accept() async throws {
        let key = StoreConformance.newKey()
        _ = try await store.create(key, claim: nil)
        let saved = store.snapshot()
        _ = try await store.deactivate(key.id)
        try await following {
            #expect(state(key) == .deactivated)
            store.restore(saved, as: "one", order: .acceptDatabase)
            #expect(await eventually { state(key) == .active })
            let kept = try await store.key(key.id)
            #expect(kept != nil && kept?.deactivatedAt == nil)
        }
    }
}

private struct NoHints: ChangeHints {
    var hints: AsyncStream<Void> { AsyncStream { $0.finish() } }
}
