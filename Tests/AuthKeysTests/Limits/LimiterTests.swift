import TestSupport
import Testing

@testable import AuthKeys

@Suite("Limiter")
struct LimiterTests {
    private let key = KeyID(high: 1, low: 1)

    @Test("a request takes from all limits, or from none")
    func allOrNone() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("large", 10), .rate("small", 1)]
        #expect(fixture.take(limits).refusal == nil)
        let refused = fixture.take(limits)
        #expect(refused.refusal == .rateLimited)
        #expect(refused["large"]?.remaining == 9)
        #expect(refused["large"]?.refusal == nil)
        #expect(refused["small"]?.remaining == 0)
        #expect(fixture.take([.rate("large", 10)])["large"]?.remaining == 8)
    }

    @Test("a refused request spends nothing, however often it is repeated")
    func refusedRequests() async {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("large", 100, per: .seconds(100)), .rate("small", 1, per: .seconds(100))]
        for _ in 0..<1_000 { fixture.take(limits) }
        await fixture.pass(3)
        let levels = fixture.store.levels.values.sorted()
        #expect(levels.allSatisfy { $0 <= 1.01 })
    }

    @Test("a limit has fields for the response")
    func fields() throws {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("minute", 60, per: .seconds(60), burst: 30)]
        for _ in 0..<30 { fixture.take(limits) }
        let use = try #require(fixture.take(limits)["minute"])
        #expect(use.limit == 60)
        #expect(use.remaining == 0)
        #expect(use.reset == .seconds(30))
        #expect(use.refusal == .rateLimited)
        let wait = try #require(use.retryAfter)
        #expect((.seconds(1)...(.milliseconds(1_100))).contains(wait))
        fixture.clock.advance(by: .seconds(10))
        #expect(fixture.take(limits)["minute"]?.remaining == 9)
    }

    @Test("a cost beyond the burst never fits, and there is no time to wait for")
    func impossibleCost() {
        let fixture = LimitFixture()
        let outcome = fixture.take([.rate("rate", 10)], spending: .cost(11))
        #expect(outcome.refusal == .rateLimited)
        #expect(outcome["rate"]?.retryAfter == nil)
        #expect(fixture.take([.rate("rate", 10)], spending: .cost(10)).refusal == nil)
    }

    @Test("a cost of 0 takes nothing, and is refused if a limit has no room for one unit")
    func peeking() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("rate", 2)]
        for _ in 0..<10 { #expect(fixture.take(limits, spending: .cost(0)).refusal == nil) }
        #expect(fixture.take(limits, spending: .cost(2)).refusal == nil)
        #expect(fixture.take(limits, spending: .cost(0)).refusal == .rateLimited)
    }

    @Test("spending of none evaluates no limit")
    func noSpending() {
        let fixture = LimitFixture()
        fixture.take([.rate("rate", 1)])
        let outcome = fixture.take([.rate("rate", 1)], spending: .none)
        #expect(outcome.refusal == nil)
        #expect(outcome.uses.isEmpty)
    }

    @Test("a limit applies to the requests that its patterns name")
    func patterns() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("images", 1, match: ["POST /v1/images/**"])]
        #expect(fixture.take(limits, method: "POST", path: "/v1/images/a").refusal == nil)
        #expect(fixture.take(limits, method: "GET", path: "/v1/images/a").uses.isEmpty)
        #expect(fixture.take(limits, method: "POST", path: "/v1/images/b").refusal == .rateLimited)
    }

    @Test("a limit on demand applies with the cost that the caller names")
    func asked() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("rate", 10), .rate("export", 5, isAsked: true)]
        #expect(fixture.take(limits)["export"] == nil)
        let outcome = fixture.take(limits, spending: .cost(1, asked: [("export", 4)]))
        #expect(outcome["export"]?.remaining == 1)
        #expect(outcome["rate"]?.remaining == 8)
        let refused = fixture.take(limits, spending: .cost(1, asked: [("export", 4)]))
        #expect(refused.refusal == .rateLimited)
        #expect(refused["rate"]?.remaining == 8)
    }

    @Test("a limit that only reports takes where it can, and refuses nothing")
    func reportOnly() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("small", 1), .rate("large", 10)]
        for number in 0..<3 {
            let outcome = fixture.take(limits, reportOnly: ["limits.small"])
            #expect(outcome.refusal == nil)
            #expect((outcome["small"]?.refusal != nil) == (number > 0))
            #expect(outcome["small"]?.isReportOnly == true)
            #expect(outcome["large"]?.remaining == Int64(9 - number))
        }
    }

    @Test("the mode decides whether limits refuse, report or rest", arguments: LimitOptions.Mode.allCases)
    func modes(mode: LimitOptions.Mode) {
        let fixture = LimitFixture(options: LimitOptions(mode: mode))
        fixture.take([.rate("rate", 1)])
        let outcome = fixture.take([.rate("rate", 1)])
        #expect(outcome.refusal == (mode == .enforce ? .rateLimited : nil))
        #expect(outcome.uses.count == (mode == .off ? 0 : 1))
    }

    @Test("a change of a definition counts from the next request, and the level stays")
    func changes() {
        let fixture = LimitFixture()
        #expect(fixture.admitted(10, [.rate("rate", 10)]) == 10)
        #expect(fixture.take([.rate("rate", 100)])["rate"]?.remaining == 89)
        #expect(fixture.take([.rate("rate", 5)]).refusal == .rateLimited)
        fixture.clock.advance(by: .milliseconds(250))
        #expect(fixture.take([.rate("rate", 5)]).refusal == nil)
    }

    @Test("a full table serves further limits by an even share of their rate")
    func fullTable() {
        let fixture = LimitFixture(instances: 4, options: LimitOptions(cells: 64))
        for number in 0..<10_000 {
            fixture.take([.rate("rate", 10)], key: KeyID(high: 2, low: UInt64(number)))
        }
        #expect(fixture.limiter.limits.count <= 64)
        let key = KeyID(high: 7, low: 12_345)
        fixture.clock.advance(by: .seconds(60))
        let admitted = (0..<100).count { _ in fixture.take([.rate("rate", 40)], key: key).refusal == nil }
        #expect(admitted == 10)
        fixture.clock.advance(by: .milliseconds(500))
        let later = (0..<100).count { _ in fixture.take([.rate("rate", 40)], key: key).refusal == nil }
        #expect(later == 5)
    }

    @Test("a limit without use is forgotten")
    func forgetting() async {
        let fixture = LimitFixture()
        fixture.take([.rate("rate", 10)])
        #expect(fixture.limiter.limits.count == 1)
        await fixture.pass(5)
        #expect(fixture.limiter.limits.count == 0)
    }

    // MARK: - Plans and owners

    @Test("a key has the limits of its plan, and its own instead of those of the same name")
    func plans() async throws {
        let fixture = LimitFixture()
        fixture.store.current = LimitDefinitions(plans: [
            SharedDefinition("gold", limits: [.rate("minute", 5), .rate("second", 3)])
        ])
        try await fixture.sync.readDefinitions()
        let outcome = fixture.take([.rate("minute", 100)], plan: "gold")
        #expect(outcome["minute"]?.limit == 100)
        #expect(outcome["second"]?.remaining == 2)
        #expect(outcome.uses.count == 2)
        #expect(fixture.take(plan: "gold")["minute"]?.limit == 5)
    }

    @Test("a plan that does not exist or is invalid closes its keys")
    func missingPlan() async throws {
        let fixture = LimitFixture()
        fixture.store.current = LimitDefinitions(plans: [SharedDefinition("bad", limits: nil)])
        try await fixture.sync.readDefinitions()
        #expect(fixture.take(plan: "bad").refusal == .inactive)
        #expect(fixture.take([.rate("rate", 5)], plan: "none").refusal == .inactive)
        #expect(fixture.limiter.limits.count == 0)
    }

    @Test("the limits of an owner are shared by all its keys, and count for owners below it")
    func owners() async throws {
        let fixture = LimitFixture()
        fixture.store.current = LimitDefinitions(owners: [
            SharedDefinition("acme", limits: [.rate("all", 3)]),
            SharedDefinition("acme/pay", limits: [.rate("pay", 2)]),
            SharedDefinition("acm", limits: [.rate("other", 1)]),
        ])
        #expect(!fixture.limiter.hasOwnerLimits)
        try await fixture.sync.readDefinitions()
        #expect(fixture.limiter.hasOwnerLimits)
        func take(_ owner: String, _ number: UInt64) -> LimitFixture.Outcome {
            fixture.take(key: KeyID(high: 3, low: number), owner: owner)
        }
        #expect(take("acme/pay", 1).uses.map(\.name) == ["all", "pay"])
        #expect(take("acme/pay/alice", 2)["pay"]?.remaining == 0)
        #expect(take("acme/pay", 3).refusal == .rateLimited)
        #expect(take("acme", 4).refusal == nil)
        #expect(take("acme/ship", 5).refusal == .rateLimited)
        #expect(take("acmes", 6).uses.isEmpty)
    }

    @Test("an owner whose limits are unreadable closes its keys, and those of the owners below it")
    func invalidOwner() async throws {
        let fixture = LimitFixture()
        fixture.store.current = LimitDefinitions(owners: [SharedDefinition("acme", limits: nil)])
        try await fixture.sync.readDefinitions()
        #expect(fixture.take(owner: "acme").refusal == .inactive)
        #expect(fixture.take([.rate("rate", 5)], owner: "acme/pay").refusal == .inactive)
        #expect(fixture.take([.rate("rate", 5)], owner: "acmes").refusal == nil)
    }

    @Test("owners that differ in their bytes have different limits, even if Unicode calls them equal")
    func equivalentOwners() async throws {
        let fixture = LimitFixture()
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        fixture.store.current = LimitDefinitions(owners: [
            SharedDefinition(composed, limits: [.rate("one", 3)]),
            SharedDefinition(decomposed, limits: [.rate("other", 3)]),
        ])
        try await fixture.sync.readDefinitions()
        #expect(fixture.take(owner: composed).uses.map(\.name) == ["one"])
        #expect(fixture.take(owner: decomposed).uses.map(\.name) == ["other"])
    }

    // MARK: - Credits

    @Test("credits are leased before they are spent, and never spent twice")
    func credits() async {
        let fixture = LimitFixture()
        fixture.store[credits: key] = .init(remaining: 50)
        var spent = 0
        for _ in 0..<200 {
            if fixture.take(hasCredits: true).refusal == nil { spent += 1 }
            await fixture.pass(0.05, step: 0.05)
        }
        await fixture.sync.end()
        #expect(spent == 50)
        #expect(fixture.store[credits: key]?.remaining == 0)
        #expect(fixture.store[credits: key]?.spent == 50)
    }

    @Test("only the first request is trusted before the balance is known")
    func firstUse() async {
        let fixture = LimitFixture(instances: 2)
        fixture.store[credits: key] = .init(remaining: 0)
        for instance in 0..<2 {
            #expect(fixture.take(hasCredits: true, instance: instance).refusal == nil)
            #expect(fixture.take(hasCredits: true, instance: instance).refusal == .creditsExhausted)
        }
        await fixture.pass(1)
        #expect(fixture.store[credits: key]?.remaining == -2)
        #expect(fixture.take(hasCredits: true).refusal == .creditsExhausted)
    }

    @Test("an unknown balance refuses if the caller waits for it")
    func waiting() async {
        let fixture = LimitFixture(options: LimitOptions(firstUse: .wait))
        fixture.store[credits: key] = .init(remaining: 5)
        #expect(fixture.take(hasCredits: true).refusal == .creditsExhausted)
        await fixture.exchange()
        #expect(fixture.take(hasCredits: true).refusal == nil)
    }

    @Test("spent credits are remembered without questions until the entry of the key changes")
    func emptyCredits() async {
        let fixture = LimitFixture()
        fixture.store[credits: key] = .init(remaining: 1)
        #expect(fixture.take(hasCredits: true).refusal == nil)
        await fixture.exchange()
        for _ in 0..<100 {
            #expect(fixture.take(hasCredits: true).refusal == .creditsExhausted)
            await fixture.pass(0.5)
        }
        fixture.store[credits: key] = .init(remaining: 10)
        #expect(fixture.take(hasCredits: true).refusal == .creditsExhausted)
        #expect(fixture.take(hasCredits: true, version: 2).refusal == nil)
        await fixture.exchange()
        #expect(fixture.take(hasCredits: true, version: 2).refusal == nil)
    }

    @Test("spent credits are remembered until the refill")
    func refill() async {
        let fixture = LimitFixture()
        fixture.store[credits: key] = .init(remaining: 1, refill: 10, refillAt: 30)
        #expect(fixture.take(hasCredits: true).refusal == nil)
        await fixture.pass(1)
        let refused = fixture.take(hasCredits: true)
        #expect(refused.refusal == .creditsExhausted)
        #expect((refused.uses.first?.retryAfter ?? .zero) >= .seconds(29))
        await fixture.pass(30)
        #expect(fixture.take(hasCredits: true).refusal == nil)
    }

    @Test("a question about credits changes nothing, and needs no version of the entry")
    func creditPeek() async {
        let fixture = LimitFixture()
        fixture.store[credits: key] = .init(remaining: 1)
        #expect(fixture.take(hasCredits: true, spending: .cost(0), version: 0).uses.map(\.remaining) == [-1])
        #expect(fixture.limiter.credits.count == 0)
        fixture.take(hasCredits: true)
        await fixture.exchange()
        #expect(fixture.take(hasCredits: true, spending: .cost(0), version: 0).refusal == .creditsExhausted)
        #expect(fixture.take(hasCredits: true).refusal == .creditsExhausted)
    }

    @Test("a refused request spends no credits")
    func creditsOfRefused() async {
        let fixture = LimitFixture()
        fixture.store[credits: key] = .init(remaining: 100)
        for _ in 0..<10 { fixture.take([.rate("rate", 1)], hasCredits: true) }
        fixture.take([.concurrent("none", 1)], hasCredits: true, spending: .held)
        fixture.take([.concurrent("none", 1)], hasCredits: true, spending: .held)
        await fixture.pass(1)
        await fixture.sync.end()
        #expect((fixture.store[credits: key]?.spent ?? 0) <= 2)
    }

    // MARK: - Concurrency

    @Test("no more requests than the limit are under way, and all slots come back")
    func concurrency() async {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.concurrent("at-a-time", 5)]
        var tickets: [LimitTicket] = []
        var random = SeededRandom(state: 2)
        for step in 0..<2_000 {
            if Bool.random(using: &random) {
                let outcome = fixture.take(limits, spending: .held)
                #expect((outcome.refusal == nil) == (tickets.count < 5))
                if outcome.refusal == nil { tickets.append(outcome.ticket) }
            } else if var ticket = tickets.popLast() {
                fixture.limiter.release(&ticket)
                // The second time gives nothing back.
                fixture.limiter.release(&ticket)
            }
            if step % 100 == 0 { await fixture.pass(0.25) }
        }
        for var ticket in tickets { fixture.limiter.release(&ticket) }
        await fixture.pass(20)
        #expect(fixture.store.slots.values.allSatisfy { $0 == 0 })
        #expect(fixture.limiter.slots.count == 0)
    }

    @Test("a refused request gives its slots back")
    func slotsOfRefused() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.concurrent("wide", 5), .concurrent("narrow", 1)]
        let first = fixture.take(limits, spending: .held)
        for _ in 0..<20 {
            let refused = fixture.take(limits, spending: .held)
            #expect(refused.refusal == .concurrencyExceeded)
            #expect(refused.ticket.isEmpty)
        }
        var ticket = first.ticket
        fixture.limiter.release(&ticket)
        #expect(fixture.take(limits, spending: .held).refusal == nil)
        #expect(fixture.take([.concurrent("wide", 5)], spending: .held)["wide"]?.remaining == 3)
    }

    @Test("more concurrency limits than a ticket has places for are given back too")
    func manySlots() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = (0..<6).map { .concurrent("at-a-time-\($0)", 1) }
        for _ in 0..<3 {
            var outcome = fixture.take(limits, spending: .held)
            #expect(outcome.refusal == nil)
            fixture.limiter.release(&outcome.ticket)
        }
    }

    @Test("a caller that does not report the end of requests holds no slots")
    func noSlots() {
        let fixture = LimitFixture()
        for _ in 0..<5 { #expect(fixture.take([.concurrent("at-a-time", 1)]).refusal == nil) }
    }

    @Test("a limit that a caller defines has a level of its own, whatever its name")
    func definedByCaller() throws {
        let fixture = LimitFixture()
        let own: [LimitRule] = [.rate("hour", 100, per: .seconds(3_600))]
        let defined = try #require(Spending.Asked(LimitRule.rate("hour", 10, per: .seconds(3_600)), cost: 1))
        let spending = try #require(Spending(cost: 0, credits: 0, asked: [defined]))
        var admitted = 0
        for _ in 0..<200 {
            if fixture.take(own).refusal == nil { admitted += 1 }
            takeDefined(spending, fixture)
        }
        #expect(admitted == 100)
    }

    /// Takes units of limits that the caller defines, for the key of the fixture.
    private func takeDefined(_ spending: Spending, _ fixture: LimitFixture) {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let request = AccessRequest(method: none, path: none, spending: spending)
        func take(_ limits: UnsafeRawBufferPointer?) {
            fixture.limiter.take(
                plan: nil, limits: limits ?? none, hasCredits: false, key: KeyID(high: 1, low: 1), owner: none,
                for: request
            ) { _, _ in }
        }
        func isDefined(_ name: [UInt8]) -> Bool { false }
        AskedLimits.withLimits(of: nil, for: spending, isDefined: isDefined, take)
    }

    @Test("a peek does not look like a change of the key")
    func peekVersion() {
        let fixture = LimitFixture(instances: 2)
        let limits: [LimitRule] = [.rate("hour", 2, per: .seconds(3_600))]
        while fixture.take(limits).refusal == nil {}
        fixture.take(limits, spending: .peek, version: 0)
        #expect(!fixture.take(limits).awaitsAnswer)
    }

    @Test("a limit for some requests applies to one whose method or path is unknown")
    func unknownPath() {
        let fixture = LimitFixture()
        let limits: [LimitRule] = [.rate("images", 1, per: .seconds(3_600), match: ["POST /v1/images/**"])]
        #expect(fixture.take(limits, method: "", path: "").refusal == nil)
        #expect(fixture.take(limits, method: "", path: "/v1/images/a").refusal == .rateLimited)
        #expect(fixture.take(limits, method: "POST", path: "").refusal == .rateLimited)
        #expect(fixture.take(limits, method: "GET", path: "").refusal == nil)
    }
}
