import TestSupport
import Testing

@testable import AuthKeys

@Suite("Settlement of costs")
struct LimitSettlementTests {
    private let key = KeyID(high: 1, low: 1)
    private static let rate = LimitRule.rate("rate", 100, per: .seconds(100))

    /// Makes a request, and settles its cost.
    private func spend(
        _ cost: Int64, then actual: Int64..., in fixture: LimitFixture, _ limits: [LimitRule] = [rate],
        hasCredits: Bool = false, instance: Int = 0
    ) -> LimitFixture.Outcome {
        var outcome = fixture.take(limits, hasCredits: hasCredits, spending: .cost(cost), instance: instance)
        guard outcome.refusal == nil else { return outcome }
        for cost in actual { fixture.limiters[instance].settle(&outcome.reservation, cost: cost) }
        fixture.limiters[instance].conclude(&outcome.reservation)
        return outcome
    }

    private func left(_ fixture: LimitFixture, _ limits: [LimitRule] = [rate], _ name: String = "rate") -> Int64? {
        fixture.take(limits, spending: .peek)[name]?.remaining
    }

    @Test("a higher cost takes more, and a lower one gives the rest back")
    func difference() {
        let fixture = LimitFixture()
        _ = spend(10, then: 30, in: fixture)
        #expect(left(fixture) == 70)
        _ = spend(10, then: 3, in: fixture)
        #expect(left(fixture) == 67)
        _ = spend(0, then: 7, in: fixture)
        #expect(left(fixture) == 60)
        _ = spend(10, then: 0, in: fixture)
        #expect(left(fixture) == 60)
        _ = spend(10, in: fixture)
        #expect(left(fixture) == 50)
        _ = spend(5, then: 20, 1, 9, in: fixture)
        #expect(left(fixture) == 41, "the last cost counts")
    }

    @Test("a limit in debt refuses all requests until the debt is paid back")
    func debt() throws {
        let fixture = LimitFixture()
        _ = spend(0, then: 350, in: fixture)
        #expect(left(fixture) == 0)
        for cost in [0, 1, 100] as [Int64] {
            let refused = fixture.take([Self.rate], spending: .cost(cost))
            #expect(refused.refusal == .rateLimited, "\(cost)")
            let wait = try #require(refused["rate"]?.retryAfter)
            #expect(wait >= .seconds(250), "\(wait)")
        }
        fixture.clock.advance(by: .seconds(250.5))
        #expect(fixture.take([Self.rate]).refusal == .rateLimited)
        fixture.clock.advance(by: .seconds(1))
        #expect(fixture.take([Self.rate]).refusal == nil)
        #expect(fixture.take([Self.rate]).refusal == .rateLimited)
    }

    @Test("units that have returned by themselves do not return twice")
    func refilled() {
        let fixture = LimitFixture()
        var outcome = fixture.take([Self.rate], spending: .cost(50))
        fixture.clock.advance(by: .seconds(40))
        fixture.limiter.settle(&outcome.reservation, cost: 0)
        #expect(left(fixture) == 100)
        #expect(fixture.admitted(200, [Self.rate]) == 100)
        fixture.clock.advance(by: .seconds(100))
        outcome = fixture.take([Self.rate], spending: .cost(50))
        fixture.clock.advance(by: .seconds(101))
        fixture.take([Self.rate], spending: .cost(30))
        fixture.limiter.settle(&outcome.reservation, cost: 0)
        #expect(left(fixture) == 70, "the units of the first request had returned before the second")
    }

    @Test("nothing is given back to a period of a quota in which nothing was taken, and more is taken from it")
    func periods() async {
        let fixture = LimitFixture()
        let quota = [LimitRule.quota("quota", 100)]
        fixture.take(quota)
        await fixture.pass(5)
        var (more, less) = (
            fixture.take(quota, spending: .cost(10)), fixture.take(quota, spending: .cost(40))
        )
        await fixture.pass(3_600, step: 60)
        fixture.take(quota, spending: .cost(30))
        #expect(left(fixture, quota, "quota") == 70)
        fixture.limiter.settle(&less.reservation, cost: 1)
        #expect(left(fixture, quota, "quota") == 70)
        fixture.limiter.settle(&more.reservation, cost: 15)
        #expect(left(fixture, quota, "quota") == 65)
    }

    @Test("an instance that is alone stays a perfect bucket", arguments: 1...20 as ClosedRange<UInt64>)
    func perfect(seed: UInt64) async {
        var random = SeededRandom(state: seed)
        let fixture = LimitFixture()
        var level = 100.0
        var now = 0.0
        var open: [(outcome: LimitFixture.Outcome, cost: Int64, at: Double)] = []
        for step in 0..<400 {
            let pause = Double.random(in: 0...2, using: &random)
            await fixture.pass(pause, step: 0.05)
            now += pause
            level = min(100, level + pause)
            let cost = Int64.random(in: 0...15, using: &random)
            let outcome = fixture.take([Self.rate], spending: .cost(cost))
            // Not within the rounding errors of sums.
            if abs(level - Double(max(1, cost))) > 1e-3 {
                #expect((outcome.refusal == nil) == (level >= Double(max(1, cost))), "\(step): \(level) \(cost)")
            }
            if outcome.refusal == nil {
                level -= Double(cost)
                open.append((outcome, cost, now))
            }
            guard Bool.random(using: &random), let index = open.indices.randomElement(using: &random) else { continue }
            var (settled, reserved, at) = open.remove(at: index)
            let actual = Int64.random(in: 0...25, using: &random)
            fixture.limiter.settle(&settled.reservation, cost: actual)
            if actual > reserved || now - at < 100 { level = min(100, level - Double(actual - reserved)) }
            let remaining = fixture.take([Self.rate], spending: .peek)["rate"]?.remaining ?? -1
            #expect(abs(Double(remaining) - max(0, level)) <= 1.01, "\(step): \(remaining) \(level)")
        }
    }

    @Test("the row of a limit ends at the sum of the actual costs", arguments: [1, 3], [1, 2, 3] as [UInt64])
    func rows(instances: Int, seed: UInt64) async {
        var random = SeededRandom(state: seed)
        let fixture = LimitFixture(instances: instances)
        let quota = [LimitRule.quota("quota", 100_000, per: .day)]
        var sum = 0.0
        var open: [(outcome: LimitFixture.Outcome, instance: Int, cost: Int64)] = []
        func settle() {
            var (outcome, instance, cost) = open.removeFirst()
            // Some end without a stated cost.
            if Bool.random(using: &random) {
                cost = .random(in: 0...120, using: &random)
                fixture.limiters[instance].settle(&outcome.reservation, cost: cost)
            }
            fixture.limiters[instance].conclude(&outcome.reservation)
            sum += Double(cost)
        }
        for _ in 0..<300 {
            let instance = Int.random(in: 0..<instances, using: &random)
            let cost = Int64.random(in: 0...60, using: &random)
            let outcome = fixture.take(quota, spending: .cost(cost), instance: instance)
            #expect(outcome.refusal == nil)
            open.append((outcome, instance, cost))
            if Bool.random(using: &random) { settle() }
            await fixture.pass(.random(in: 0...0.4, using: &random), step: 0.1)
        }
        while !open.isEmpty { settle() }
        await fixture.pass(90)
        let level = fixture.store.levels.values.reduce(0, +)
        #expect(abs(level - sum) < 0.01, "\(level) \(sum)")
    }

    @Test("a debt that one instance makes refuses at the others")
    func shared() async {
        let fixture = LimitFixture(instances: 3)
        for instance in 0..<3 { fixture.take([Self.rate], spending: .cost(10), instance: instance) }
        await fixture.pass(3)
        _ = spend(1, then: 500, in: fixture)
        await fixture.pass(12)
        for instance in 0..<3 {
            #expect(fixture.take([Self.rate], instance: instance).refusal == .rateLimited, "\(instance)")
        }
        // 430 units are owed at first, of which one returns each second.
        var admitted = 0
        for _ in 0..<400 {
            await fixture.pass(1)
            for instance in 0..<3 where fixture.take([Self.rate], instance: instance).refusal == nil { admitted += 1 }
        }
        #expect(admitted <= 3, "\(admitted)")
        await fixture.pass(120)
        #expect((0..<3).contains { fixture.take([Self.rate], instance: $0).refusal == nil })
    }

    @Test("a definition that changes in between is applied with its present numbers")
    func changed() {
        for change in [
            LimitRule.rate("rate", 10, per: .seconds(100)), .rate("rate", 1_000, per: .seconds(10)),
            .quota("rate", 50),
        ] {
            let fixture = LimitFixture()
            var (up, down) = (
                fixture.take([Self.rate], spending: .cost(20)), fixture.take([Self.rate], spending: .cost(20))
            )
            fixture.take([change])
            fixture.limiter.settle(&up.reservation, cost: 25)
            fixture.limiter.settle(&down.reservation, cost: 0)
            let left = left(fixture, [change]) ?? -1
            #expect((0...change.limit).contains(left), "\(change): \(left)")
            fixture.clock.advance(by: .seconds(200))
            #expect(self.left(fixture, [change]).map { $0 <= change.limit } == true)
        }
        // Deleted, and forgotten.
        let fixture = LimitFixture()
        var outcome = fixture.take([Self.rate], spending: .cost(5))
        let other = KeyID(high: 3, low: 3)
        fixture.take([Self.rate], key: other)
        fixture.limiter.settle(&outcome.reservation, cost: 9)
        #expect(fixture.take([Self.rate], key: other, spending: .peek)["rate"]?.remaining == 99)
    }

    @Test("limits of the key, its plan and its owner are settled, and those of other requests are not")
    func exactly() async throws {
        let fixture = LimitFixture()
        fixture.store.current = LimitDefinitions(
            plans: [SharedDefinition("gold", limits: [.rate("plan", 100, per: .seconds(100))])],
            owners: [SharedDefinition("acme", limits: [.rate("owner", 100, per: .seconds(100))])])
        try await fixture.sync.readDefinitions()
        let limits = [
            Self.rate, .rate("images", 100, per: .seconds(100), match: ["POST /v1/images/**"]),
            .rate("asked", 100, per: .seconds(100), isAsked: true),
        ]
        var outcome = fixture.take(limits, plan: "gold", owner: "acme", spending: .cost(2))
        fixture.limiter.settle(&outcome.reservation, cost: 12)
        let peek = fixture.take(
            limits, plan: "gold", owner: "acme", spending: .cost(0, asked: [("asked", 0)]), method: "POST",
            path: "/v1/images/a")
        for (name, left) in [("rate", 88), ("plan", 88), ("owner", 88), ("images", 100), ("asked", 100)] {
            #expect(peek[name]?.remaining == Int64(left), "\(name)")
        }
    }

    @Test("a limit that only reports is settled, unless it had no room")
    func reportOnly() {
        let fixture = LimitFixture()
        let small = LimitRule.rate("small", 5, per: .seconds(100))
        func take(_ cost: Int64) -> LimitFixture.Outcome {
            fixture.take([small, Self.rate], reportOnly: ["limits.small"], spending: .cost(cost))
        }
        var outcome = take(1)
        fixture.limiter.settle(&outcome.reservation, cost: 4)
        #expect(take(0)["small"]?.remaining == 1 && take(0)["rate"]?.remaining == 96)
        var reported = take(3)
        #expect(reported.refusal == nil && reported["small"]?.refusal != nil)
        fixture.limiter.settle(&reported.reservation, cost: 50)
        #expect(take(0)["small"]?.remaining == 1 && take(0)["rate"]?.remaining == 46)
    }

    @Test("a request without a cost holds a slot")
    func slots() {
        let fixture = LimitFixture()
        var spending = Spending.cost(0)
        spending.holdsSlots = true
        let limits = [LimitRule.concurrent("at-a-time", 1)]
        var outcome = fixture.take(limits, spending: spending)
        #expect(outcome.refusal == nil && fixture.take(limits, spending: spending).refusal == .concurrencyExceeded)
        fixture.limiter.settle(&outcome.reservation, cost: 50)
        #expect(fixture.take(limits, spending: spending).refusal == .concurrencyExceeded)
        fixture.limiter.release(&outcome.ticket)
        #expect(fixture.take(limits, spending: spending).refusal == nil)
    }

    /// Spends credits as soon as they are leased.
    private func spendCredits(_ cost: Int64, then actual: Int64, in fixture: LimitFixture, instance: Int = 0) async {
        for _ in 0..<20 {
            let outcome = spend(cost, then: actual, in: fixture, [], hasCredits: true, instance: instance)
            if outcome.refusal == nil { return }
            await fixture.pass(0.25)
        }
        Issue.record("the credits were not leased")
    }

    @Test("the balance of credits ends at the actual costs, and may be in debt")
    func credits() async {
        for instances in [1, 3] {
            let fixture = LimitFixture(instances: instances)
            fixture.store[credits: key] = .init(remaining: 100_000)
            for instance in 0..<instances {
                fixture.take(hasCredits: true, instance: instance)
                await fixture.pass(1)
                for (cost, actual) in [(10, 700), (10, 3), (0, 40)] as [(Int64, Int64)] {
                    await spendCredits(cost, then: actual, in: fixture, instance: instance)
                }
            }
            await fixture.pass(20)
            let spent = Int64(instances) * 744
            #expect(fixture.store[credits: key]?.remaining == 100_000 - spent, "\(instances)")
            #expect(fixture.store[credits: key]?.spent == spent)
            await spendCredits(1, then: 200_000, in: fixture)
            await fixture.pass(20)
            #expect(fixture.store[credits: key]?.remaining == -100_000 - spent)
            #expect(fixture.take(hasCredits: true).refusal == .creditsExhausted)
            // An admin adds credits.
            fixture.store[credits: key]?.remaining += 200_000
            fixture.take(hasCredits: true, version: 2)
            await fixture.pass(1)
            #expect(fixture.take(hasCredits: true, version: 2).refusal == nil)
        }
    }

    @Test("credits of a long request return to the balance, although its cell was forgotten")
    func longRequest() async {
        let fixture = LimitFixture()
        fixture.store[credits: key] = .init(remaining: 1_000)
        var outcome = fixture.take(hasCredits: true, spending: .cost(100))
        await fixture.pass(60)
        #expect(fixture.limiter.credits.count == 0)
        fixture.limiter.settle(&outcome.reservation, cost: 30)
        await fixture.pass(20)
        #expect(fixture.store[credits: key]?.remaining == 970)
    }

    @Test("costs out of range are clamped")
    func clamped() {
        let fixture = LimitFixture()
        _ = spend(5, then: -7, in: fixture)
        #expect(left(fixture) == 100)
        var outcome = fixture.take([Self.rate])
        fixture.limiter.settle(&outcome.reservation, cost: .max)
        let wait = fixture.take([Self.rate])["rate"]?.retryAfter ?? .zero
        #expect(wait >= .seconds(999_999_000) && wait < .seconds(1_100_000_000))
    }

    @Test("a debt while the database does not respond counts afterwards, except with open")
    func away() async {
        for mode in [LimitOptions.Away.share, .open] {
            let fixture = LimitFixture(options: LimitOptions(away: mode))
            fixture.take([Self.rate], spending: .cost(20))
            await fixture.pass(2)
            fixture.store.failure = StoreError(.unavailable, detail: "away")
            fixture.take([Self.rate], spending: .cost(20))
            await fixture.pass(3)
            #expect(!fixture.limiter.isInTouch)
            _ = spend(5, then: 300, in: fixture)
            fixture.store.failure = nil
            await fixture.pass(3)
            #expect(fixture.limiter.isInTouch)
            #expect((fixture.take([Self.rate]).refusal != nil) == (mode == .share), "\(mode)")
        }
    }

    @Test("records of seven limits and the credits fit on the stack")
    func size() {
        #expect(8 * MemoryLayout<LimitRecord>.stride <= 1_024)
    }
}
