import Logging
import Synchronization
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Instance heartbeat", .timeLimit(.minutes(5)))
struct InstanceHeartbeatTests {
    private static let identity = InstanceIdentity(
        id: .generate(), name: "gw-1", version: KeywardVersion.current, kind: .serve)

    private struct Fixture: Sendable {
        let clock = ManualClock()
        let store: InMemoryInstances
        let log = LogLines()
        let heartbeat: InstanceHeartbeat

        init() {
            let store = InMemoryInstances(time: clock.source)
            self.store = store
            heartbeat = InstanceHeartbeat(
                store: store, time: clock.source, logger: Logger(label: "test") { [log] _ in log.handler }
            ) { InstanceProgress(applied: 17, indexAge: .seconds(1)) }
        }

        /// Waits until the loop sleeps, and advances the clock.
        func advance(by duration: Duration) async {
            _ = await eventually { clock.sleepers == 1 }
            clock.advance(by: duration)
        }

        func run(_ body: @Sendable (Fixture) async throws -> Void) async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await heartbeat.run(as: InstanceHeartbeatTests.identity) }
                _ = await eventually { clock.sleepers == 1 }
                defer { group.cancelAll() }
                try await body(self)
            }
        }
    }

    @Test("an instance is live from its start, and until 10 s after its last heartbeat")
    func lives() async throws {
        try await Fixture().run { fixture in
            #expect(fixture.heartbeat.liveInstances == 1)
            for _ in 0..<3 { await fixture.advance(by: .seconds(5)) }
            _ = await eventually { fixture.clock.sleepers == 1 }
            let record = try #require(try await fixture.store.instances().first)
            #expect(record.isLive && record.seenAt == fixture.clock.source.now())
            #expect(record.seenAt.microseconds - record.startedAt.microseconds == 15_000_000)
            #expect(record.progress == InstanceProgress(applied: 17, indexAge: .seconds(1)))
            fixture.store.failure = StoreError(.unavailable, detail: "away")
            await fixture.advance(by: .seconds(5))
            await fixture.advance(by: .seconds(5))
            #expect(fixture.heartbeat.liveInstances == 1)
            await fixture.advance(by: .seconds(1))
            #expect(fixture.heartbeat.liveInstances == nil)
            fixture.store.failure = nil
            #expect(try await fixture.store.instances().first?.isLive == false)
        }
    }

    @Test("failures are logged once until the next success, and the database's row comes back")
    func heals() async throws {
        try await Fixture().run { fixture in
            func lines() -> Int { fixture.log.all.count { $0.contains("cannot be written") } }
            for round in 1...2 {
                fixture.store.failure = StoreError(.unavailable, detail: "away")
                for _ in 0..<4 { await fixture.advance(by: .seconds(5)) }
                _ = await eventually { fixture.clock.sleepers == 1 }
                #expect(lines() == round)
                fixture.store.failure = nil
                // A crash of PostgreSQL empties the table.
                try await fixture.store.remove(Self.identity.id)
                await fixture.advance(by: .seconds(5))
                let isBack = await eventually { fixture.heartbeat.liveInstances == 1 }
                #expect(isBack)
                let record = try #require(try await fixture.store.instances().first)
                #expect(record.seenAt.microseconds - record.startedAt.microseconds == Int64(round) * 25_000_000)
            }
            #expect(fixture.log.all.count { $0.contains("can be written again") } == 2)
        }
    }

    @Test("old rows are removed every five minutes, and not with each heartbeat")
    func removesOld() async throws {
        try await Fixture().run { fixture in
            for _ in 0..<58 { await fixture.advance(by: .seconds(5)) }
            _ = await eventually { fixture.clock.sleepers == 1 }
            #expect(fixture.store.removals == 0)
            await fixture.advance(by: .seconds(5))
            let removed = await eventually { fixture.store.removals == 1 }
            #expect(removed)
        }
    }

    @Test("the end of an instance removes its row, and needs no database")
    func ends() async throws {
        let fixture = Fixture()
        await fixture.heartbeat.end()
        try await fixture.run { _ in }
        #expect(try await fixture.store.instances().count == 1)
        fixture.store.failure = StoreError(.unavailable, detail: "away")
        await fixture.heartbeat.end()
        fixture.store.failure = nil
        await fixture.heartbeat.end()
        #expect(try await fixture.store.instances().isEmpty)
    }

    @Test("figures of all providers are reported, unless they are too long")
    func figures() async throws {
        let fixture = Fixture()
        let length = Mutex(1)
        fixture.heartbeat.addFigures { ["keys": .integer(3), "name": .string("a")] }
        fixture.heartbeat.addFigures {
            ["name": .string(length.withLock { String(repeating: "b", count: $0) })]
        }
        try await fixture.run { fixture in
            #expect(fixture.store.heartbeats.map(\.figures) == [#"{"keys":3,"name":"b"}"#])
            length.withLock { $0 = Heartbeat.figureLimit }
            await fixture.advance(by: .seconds(5))
            let isEmpty = await eventually { fixture.store.heartbeats.map(\.figures) == ["{}"] }
            #expect(isEmpty)
        }
    }
}
