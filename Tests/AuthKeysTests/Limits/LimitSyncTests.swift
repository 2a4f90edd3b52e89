import TestSupport
import Testing

@testable import AuthKeys

@Suite("Exchange of units")
struct LimitSyncTests {
    private let failure = StoreError(.unavailable, detail: "test")

    @Test("two instances share a limit")
    func sharing() async {
        let fixture = LimitFixture(instances: 2)
        let limits: [LimitRule] = [.rate("rate", 100)]
        var admitted = 0
        for _ in 0..<500 {
            for instance in 0..<2 { admitted += fixture.admitted(3, limits, instance: instance) }
            await fixture.pass(0.02, step: 0.02)
        }
        // 10 s, and a burst.
        #expect((1_000...1_120).contains(admitted), "\(admitted)")
    }

    @Test("junk and quiet use cause no statements")
    func quiet() async {
        let fixture = LimitFixture(instances: 2)
        for number in 0..<100 {
            fixture.take([.rate("minute", 1_000, per: .seconds(60))], key: KeyID(high: 4, low: UInt64(number)))
        }
        await fixture.pass(10)
        #expect(fixture.store.statements.isEmpty)
    }

    @Test("a statement has at most 200 limits, and all due limits are settled")
    func batches() async {
        let fixture = LimitFixture()
        for number in 0..<1_000 { fixture.take([.rate("rate", 1)], key: KeyID(high: 4, low: UInt64(number))) }
        await fixture.exchange()
        #expect(fixture.store.statements.map(\.count) == [200, 200, 200, 200, 200])
        #expect(fixture.store.levels.count == 1_000)
    }

    @Test("rows beyond the budget of a second wait, and refused limits come first")
    func budget() async {
        let fixture = LimitFixture(options: LimitOptions(rows: 100))
        for number in 0..<300 {
            for _ in 0..<(number < 50 ? 2 : 1) {
                fixture.take([.rate("rate", 1)], key: KeyID(high: 4, low: UInt64(number)))
            }
        }
        await fixture.exchange()
        let first = fixture.store.statements.joined()
        #expect((50...100).contains(first.count))
        #expect(first.count { $0.asked == 2 } == 50)
        await fixture.pass(8)
        #expect(fixture.store.levels.count == 300)
        #expect(fixture.store.statements.joined().count <= 900)
    }

    @Test("a failing database is served from memory, and asked again until it responds")
    func away() async {
        let fixture = LimitFixture(instances: 2)
        let limits: [LimitRule] = [.rate("rate", 10)]
        _ = fixture.admitted(5, limits)
        await fixture.pass(1)
        fixture.store.failure = failure
        _ = fixture.admitted(5, limits)
        await fixture.pass(1)
        #expect(fixture.limiter.circumstances.away == .share)
        let statements = fixture.store.statements.count
        var admitted = 0
        for _ in 0..<100 {
            admitted += fixture.admitted(3, limits)
            await fixture.pass(0.25)
        }
        // 25 s at a share between the half and all.
        #expect((115...265).contains(admitted), "\(admitted)")
        #expect(fixture.store.statements.count == statements)
        fixture.store.failure = nil
        await fixture.pass(0.5)
        #expect(fixture.limiter.circumstances.away == nil)
        await fixture.pass(3)
        #expect(fixture.admitted(5, limits) >= 3)
    }

    @Test("a database that does not respond for a second is served from memory")
    func late() async throws {
        let fixture = LimitFixture()
        fixture.take([.rate("rate", 10)])
        fixture.store.hold(true)
        let (sync, limiter) = (fixture.sync, fixture.limiter)
        async let exchange = sync.exchange()
        try await eventually("the call is under way") { limiter.isAsking }
        fixture.clock.advance(by: .milliseconds(900))
        sync.observe()
        #expect(limiter.circumstances.away == nil)
        fixture.clock.advance(by: .milliseconds(200))
        sync.observe()
        #expect(limiter.circumstances.away == .share)
        fixture.store.hold(false)
        _ = await exchange
        #expect(limiter.circumstances.away == nil)
    }

    @Test("shutdown reports everything, and gives leases and slots back")
    func shutdown() async {
        let fixture = LimitFixture(instances: 2)
        let key = KeyID(high: 1, low: 1)
        fixture.store[credits: key] = .init(remaining: 5_000)
        let limits: [LimitRule] = [.rate("rate", 1_000, per: .seconds(600)), .concurrent("at-a-time", 5)]
        var admitted = 0
        for _ in 0..<50 {
            for instance in 0..<2 {
                var outcome = fixture.take(limits, hasCredits: true, spending: .held, instance: instance)
                if outcome.refusal == nil { admitted += 1 }
                fixture.limiters[instance].release(&outcome.ticket)
            }
            await fixture.pass(0.02, step: 0.02)
        }
        #expect(admitted == 100)
        for sync in fixture.syncs { await sync.end() }
        let level = fixture.store.levels.values.reduce(0, +)
        // Units have returned for a second at 1.7 a second, and the rounding of a give-back is at most one unit each.
        #expect((95...101).contains(level), "\(level)")
        #expect(fixture.store[credits: key]?.spent == 100)
        #expect(fixture.store.slots.values.allSatisfy { $0 == 0 })
    }

    @Test("an instance asks about a limit at once after a change of its key, which may be a reset")
    func reset() async throws {
        let fixture = LimitFixture(instances: 2)
        let limits: [LimitRule] = [.rate("hour", 6, per: .seconds(3_600))]
        for _ in 0..<20 {
            for instance in 0..<2 { fixture.take(limits, instance: instance) }
            await fixture.pass(0.25)
        }
        for instance in 0..<2 { #expect(fixture.take(limits, instance: instance).refusal == .rateLimited) }
        await fixture.exchange()
        let id = try #require(fixture.store.levels.keys.first)
        fixture.store.reset(id)
        #expect(fixture.take(limits, instance: 1).refusal == .rateLimited)
        for instance in 0..<2 {
            #expect(fixture.take(limits, version: 2, instance: instance).awaitsAnswer)
            await fixture.exchange()
            #expect(fixture.take(limits, version: 2, instance: instance).refusal == nil)
        }
    }

    @Test("a request at an idle instance waits for an answer while the limit has room, and a flood does not")
    func idle() async throws {
        let fixture = LimitFixture(instances: 8)
        let limits: [LimitRule] = [.rate("rate", 120, per: .seconds(60))]
        // The first instance takes all units, and another one has hardly any share of them.
        for second in 0..<60 {
            if second % 5 == 0 { fixture.take(limits, instance: 5) }
            for _ in 0..<20 { fixture.take(limits) }
            await fixture.pass(1)
        }
        await fixture.pass(4)
        let first = fixture.take(limits, instance: 5)
        #expect(first.refusal == .rateLimited && first.awaitsAnswer)
        for _ in 0..<10 {
            let next = fixture.take(limits, instance: 5)
            #expect(next.refusal == .rateLimited && !next.awaitsAnswer)
        }
        await fixture.exchange()
        #expect(fixture.take(limits, instance: 5).refusal == nil)
    }

    @Test("a reset gives all units back, also those that the admin's instance has not reported")
    func forgiven() async throws {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("hour", 3, per: .seconds(3_600))]
        fixture.take(limits)
        await fixture.pass(2)
        for _ in 0..<2 { #expect(fixture.take(limits).refusal == nil) }
        #expect(fixture.take(limits).refusal == .rateLimited)
        let id = try #require(fixture.store.levels.keys.first)
        fixture.store.reset(id)
        fixture.limiter.forgive(id)
        #expect(fixture.take(limits, version: 2).awaitsAnswer)
        await fixture.exchange()
        for _ in 0..<3 { #expect(fixture.take(limits, version: 2).refusal == nil) }
        #expect(fixture.take(limits, version: 2).refusal == .rateLimited)
    }

    @Test("a request that costs more than a lease holds waits for its credits", arguments: [1, 8])
    func largeCosts(instances: Int) async {
        let fixture = LimitFixture(instances: instances)
        let key = KeyID(high: 1, low: 1)
        fixture.store[credits: key] = .init(remaining: 100_000)
        for number in 0..<20 {
            var outcome = fixture.take(hasCredits: true, spending: .cost(5_000))
            if outcome.awaitsAnswer {
                // The cell asks a moment after its last question.
                await fixture.pass(0.03, step: 0.03)
                outcome = fixture.take(hasCredits: true, spending: .cost(5_000))
            }
            #expect(outcome.refusal == nil, "\(number)")
            await fixture.pass(6)
        }
        await fixture.pass(20)
        #expect(fixture.take(hasCredits: true, spending: .cost(5_000)).refusal == .creditsExhausted)
        #expect(fixture.store[credits: key]?.spent == 100_000)
    }

    @Test("requests that wait for credits are as many as a lease may serve")
    func waiters() async {
        let fixture = LimitFixture()
        fixture.store[credits: KeyID(high: 1, low: 1)] = .init(remaining: 1_000_000)
        let waiting = (0..<5_000).count { _ in fixture.take(hasCredits: true).awaitsAnswer }
        #expect(waiting == 1_000)
        await fixture.exchange()
        #expect((0..<1_000).allSatisfy { _ in fixture.take(hasCredits: true).refusal == nil })
    }

    @Test("an instance with credits alone stays cut off while the database does not respond")
    func awayWithCredits() async {
        let fixture = LimitFixture()
        fixture.store[credits: KeyID(high: 1, low: 1)] = .init(remaining: 1_000_000)
        fixture.take(hasCredits: true)
        fixture.store.failure = failure
        await fixture.pass(1)
        for _ in 0..<10 {
            #expect(fixture.limiter.circumstances.away != nil)
            fixture.take(hasCredits: true)
            await fixture.pass(0.25)
        }
        fixture.store.failure = nil
        await fixture.pass(0.5)
        #expect(fixture.limiter.circumstances.away == nil)
    }

    @Test("leased credits are not lost by a call that had no effect")
    func failedGiveBack() async {
        let fixture = LimitFixture()
        let key = KeyID(high: 1, low: 1)
        fixture.store[credits: key] = .init(remaining: 5_000)
        var spent: Int64 = 0
        for _ in 0..<10 {
            if fixture.take(hasCredits: true, spending: .cost(10)).refusal == nil { spent += 10 }
            await fixture.pass(0.25)
        }
        fixture.store.failure = failure
        await fixture.pass(10)
        fixture.store.failure = nil
        await fixture.pass(20)
        #expect(fixture.store[credits: key]?.remaining == 5_000 - spent)
    }

    @Test("a smaller number of instances counts after some time")
    func numberOfInstances() async {
        let fixture = LimitFixture()
        fixture.sync.expect(instances: 8)
        await fixture.pass(5)
        #expect(fixture.limiter.circumstances.instances == 8)
        await fixture.pass(6)
        #expect(fixture.limiter.circumstances.instances == 1)
    }

    @Test("definitions are read at a hint, and a failure keeps the previous ones")
    func definitions() async throws {
        let fixture = LimitFixture()
        let task = Task { await fixture.sync.run() }
        fixture.store.current = LimitDefinitions(owners: [SharedDefinition("acme", limits: [.rate("all", 3)])])
        fixture.sync.refreshDefinitions()
        try await eventually("the definitions are read") { fixture.limiter.hasOwnerLimits }
        fixture.store.failure = failure
        fixture.store.current = LimitDefinitions()
        fixture.sync.refreshDefinitions()
        try await eventually("the ticks sleep") { fixture.clock.sleepers >= 2 }
        #expect(fixture.limiter.hasOwnerLimits)
        fixture.store.failure = nil
        try await eventually("the definitions are read again") {
            fixture.clock.advance(by: .seconds(10))
            return !fixture.limiter.hasOwnerLimits
        }
        task.cancel()
        await task.value
    }

    @Test("the task is woken by a limit that has to ask")
    func wakes() async throws {
        let fixture = LimitFixture()
        let task = Task { await fixture.sync.run() }
        try await eventually("the ticks sleep") { fixture.clock.sleepers >= 2 }
        fixture.take([.rate("rate", 1)])
        try await eventually("the limit is settled") { !fixture.store.statements.isEmpty }
        task.cancel()
        await task.value
    }

    @Test("a limit whose row was removed asks for a new one")
    func missingRow() async {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("rate", 1, per: .seconds(10), burst: 5)]
        fixture.take(limits)
        await fixture.exchange()
        fixture.store.removeRows()
        fixture.take(limits)
        await fixture.pass(3)
        #expect(fixture.store.levels.count == 1)
    }
}

extension Limiter {
    /// Returns true while a question of the only cell is under way.
    fileprivate var isAsking: Bool {
        guard let id = limits.any else { return false }
        return limits.withExistingCell(id) { $0.isAsking } ?? false
    }
}
