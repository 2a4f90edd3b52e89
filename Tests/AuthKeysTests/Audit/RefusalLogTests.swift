import TestSupport
import Testing

@testable import AuthKeys

@Suite("Refusal log")
struct RefusalLogTests {
    private let clock = ManualClock()
    private let store: InMemoryStore

    init() {
        store = InMemoryStore(time: clock.source)
    }

    private func attempt(_ actor: AuditActor = .anonymous) -> NewAuditEvent {
        NewAuditEvent(
            actor: actor, origin: CallOrigin(address: "192.0.2.1", requestID: "r"), action: .keyRead,
            refusal: "key_unknown")
    }

    private func events() async throws -> [AuditEvent] { try await store.events(AuditQuery(limit: 1_000)) }

    private func written(_ count: Int) async -> Bool {
        await eventually { (try? await events().count) == count }
    }

    @Test(
        "attempts without a valid credential have a daily budget, and one event counts the omitted ones"
    )
    func daily() async throws {
        let log = RefusalLog(trail: store, anonymous: 1_000, ended: 1_000, daily: 20, time: clock.source)
        let ended = AuditActor.adminKey(.generate(), name: "a")
        for _ in 0..<50 { log.record(attempt(), isAuthenticated: false) }
        for _ in 0..<30 { log.record(attempt(ended), isAuthenticated: false) }
        #expect(await written(40))
        // A caller with a valid credential has a separate budget.
        log.record(attempt(ended), isAuthenticated: true)
        #expect(await written(41))
        #expect(await eventually { clock.sleepers == 1 })
        clock.advance(by: RefusalLog.day)
        #expect(await written(42))
        let summary = try #require(try await events().first)
        #expect(summary.action == "audit.omitted" && summary.actor == "system" && summary.outcome == "done")
        #expect(summary.changes.contains(#""to":40"#) && summary.changes.contains("omitted"))
        for _ in 0..<50 { log.record(attempt(), isAuthenticated: false) }
        #expect(await written(62))
    }

    @Test("closing the log appends the number of omitted attempts")
    func close() async throws {
        let log = RefusalLog(trail: store, daily: 1, time: clock.source)
        for _ in 0..<4 { log.record(attempt(), isAuthenticated: false) }
        await log.close()
        let events = try await events()
        #expect(events.map(\.action) == ["audit.omitted", "key.read"])
        #expect(events.first?.changes.contains(#""to":3"#) == true && events.first?.changes.contains("omitted") == true)
    }
}
