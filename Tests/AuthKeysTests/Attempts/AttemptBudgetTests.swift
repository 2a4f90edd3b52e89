import TestSupport
import Testing

@testable import AuthKeys

@Suite("Budget of failed attempts")
struct AttemptBudgetTests {
    private static let network = AttemptNetwork(IPAddress(high: 0, low: 1, isV4: true))

    private func rate(_ attempts: Int = 60, _ seconds: Int = 60) throws -> AttemptRate {
        try #require(AttemptRate(attempts, in: .seconds(seconds)))
    }

    /// Makes attempts every tenth of a second for a time. Returns the number that was allowed.
    private func flood(_ budget: inout AttemptBudget, from start: Double, for seconds: Double, _ rate: AttemptRate)
        -> Int
    {
        (0..<Int(seconds * 10)).count { budget.take(at: start + Double($0) / 10, rate: rate) == nil }
    }

    @Test("a budget has a size of 32 bytes")
    func size() {
        #expect(MemoryLayout<AttemptBudget>.stride == 32)
    }

    @Test("rates and periods out of range are refused")
    func ranges() {
        #expect(AttemptRate(0, in: .seconds(60)) == nil && AttemptRate(1_000_001, in: .seconds(60)) == nil)
        #expect(AttemptRate(1, in: .milliseconds(999)) == nil && AttemptRate(1, in: .seconds(86_401)) == nil)
        #expect(AttemptRate(60, in: .seconds(60)) == .standard)
    }

    @Test("a full budget allows its attempts at once, and no more")
    func burst() throws {
        let rate = try rate()
        var budget = AttemptBudget(of: Self.network, at: 5, rate: rate)
        for _ in 0..<60 { #expect(budget.take(at: 5, rate: rate) == nil) }
        #expect(budget.isExceeded(at: 5, rate: rate) && budget.refusals == 0)
        #expect(budget.take(at: 5, rate: rate) != nil && budget.refusals == 1)
        #expect(budget.takeRefusals() == 1 && budget.refusals == 0)
    }

    @Test("a client at the pace of the budget is never refused")
    func pace() throws {
        let rate = try rate()
        var budget = AttemptBudget(of: Self.network, at: 0, rate: rate)
        for second in 0..<1_000 { #expect(budget.take(at: Double(second), rate: rate) == nil) }
        #expect(budget.slowness == 0)
    }

    @Test("each time the budget is exceeded, the refill halves, down to a sixteenth")
    func slower() throws {
        let rate = try rate()
        var budget = AttemptBudget(of: Self.network, at: 0, rate: rate)
        #expect(flood(&budget, from: 0, for: 10, rate) == 67, "the burst, half a token a second, and a quarter")
        #expect(budget.slowness > 1.9)
        _ = flood(&budget, from: 10, for: 50, rate)
        #expect(budget.slowness > 3.7)
        let hour = flood(&budget, from: 60, for: 3_600, rate)
        #expect((225...285).contains(hour), "a sixteenth of 3600, with a little recovery: \(hour)")
        #expect(budget.slowness <= AttemptBudget.slownessLimit)
    }

    @Test("quiet minutes restore the refill, one halving each")
    func recovery() throws {
        let rate = try rate()
        var budget = AttemptBudget(of: Self.network, at: 0, rate: rate)
        _ = flood(&budget, from: 0, for: 600, rate)
        let refused = budget.take(at: 600, rate: rate)
        let wait = try #require(refused)
        #expect((1...16).contains(wait))
        let (soon, later) = (budget.tokens(at: 660, rate: rate), budget.tokens(at: 840, rate: rate))
        // A refill of 1/16 to 1/8 of a token a second, then of 1/8, 1/4 and 1/2 to 1.
        #expect((3.7...7.5).contains(soon) && (30...60).contains(later), "\(soon), \(later)")
        #expect(budget.tokens(at: 1_000, rate: rate) == 60)
        #expect(budget.take(at: 1_000, rate: rate) == nil && budget.slowness == 0)
    }

    @Test("an attempt after the stated time is allowed, whatever came before", arguments: 0..<200)
    func promise(seed: Int) throws {
        var random = SeededRandom(state: UInt64(seed))
        let rate = try rate(.random(in: 1...100, using: &random), .random(in: 1...7_200, using: &random))
        var budget = AttemptBudget(of: Self.network, at: 0, rate: rate)
        var now = 0.0
        for _ in 0..<300 {
            now += [0, 0.01, 1, 30, 200].randomElement(using: &random) ?? 0
            guard let wait = budget.take(at: now, rate: rate) else { continue }
            #expect(wait > 0)
            var early = budget
            let whole = wait.rounded(.up)
            if wait > 10 { #expect(early.take(at: now + wait * 0.9, rate: rate) != nil, "not before \(wait)") }
            if Bool.random(using: &random) {
                now += whole
                #expect(budget.take(at: now, rate: rate) == nil, "after \(whole)")
            }
        }
    }

    @Test("a clock that stands still or goes back gives nothing")
    func clock() throws {
        let rate = try rate(1)
        var budget = AttemptBudget(of: Self.network, at: 100, rate: rate)
        #expect(budget.take(at: 100, rate: rate) == nil)
        #expect(budget.take(at: 50, rate: rate) != nil && budget.take(at: 100, rate: rate) != nil)
    }
}
