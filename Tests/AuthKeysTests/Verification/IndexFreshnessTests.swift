import TestSupport
import Testing

@testable import AuthKeys

@Suite("Freshness of the index")
struct IndexFreshnessTests {
    let clock = ManualClock()

    @Test("goes from unavailable through ready to degraded and back")
    func standing() {
        let freshness = IndexFreshness(maxStaleness: .seconds(60), time: clock.source)
        #expect(freshness.standing == .unavailable && freshness.age == nil)
        freshness.recordSync(startedAt: .zero)
        #expect(freshness.standing == .ready)
        clock.advance(by: .seconds(59))
        freshness.recordFailure()
        #expect(freshness.standing == .degraded && freshness.age == .seconds(59))
        clock.advance(by: .seconds(2))
        freshness.recordFailure()
        #expect(freshness.standing == .unavailable)
        freshness.recordSync(startedAt: clock.source.uptime())
        #expect(freshness.standing == .ready && freshness.age == .zero)
    }

    @Test("a staleness of zero serves nothing from the first failed look on")
    func zero() {
        let freshness = IndexFreshness(maxStaleness: .zero, time: clock.source)
        freshness.recordSync(startedAt: .zero)
        clock.advance(by: .milliseconds(900))
        #expect(freshness.isServing)
        freshness.recordFailure()
        #expect(!freshness.isServing)
    }

    @Test("a look that does not come back does not prolong the service")
    func hanging() {
        let freshness = IndexFreshness(maxStaleness: .seconds(10), time: clock.source)
        freshness.recordSync(startedAt: .zero)
        clock.advance(by: .seconds(15))
        freshness.checkAge()
        #expect(freshness.isServing)
        clock.advance(by: .milliseconds(1))
        freshness.checkAge()
        #expect(!freshness.isServing)
    }
}
