import TestSupport
import Testing

@testable import AuthKeys

@Suite("Index freshness")
struct IndexFreshnessTests {
    let clock = ManualClock()

    private func freshness(maxStaleness: Duration) -> IndexFreshness {
        IndexFreshness(maxStaleness: maxStaleness, time: clock.source)
    }

    private func service(_ freshness: IndexFreshness) -> IndexFreshness.Service {
        freshness.service(at: clock.source.now())
    }

    @Test("keys are accepted for the maximum staleness after the last successful read")
    func staleness() {
        let freshness = freshness(maxStaleness: .seconds(60))
        #expect(freshness.status == .unavailable && freshness.age == nil && service(freshness) == .stopped)
        freshness.recordSync(startedAt: .zero)
        #expect(freshness.status == .ready && service(freshness) == .serving)
        clock.advance(by: .seconds(59))
        freshness.recordFailure()
        #expect(freshness.status == .degraded && freshness.age == .seconds(59) && service(freshness) == .serving)
        clock.advance(by: .seconds(2))
        #expect(freshness.status == .unavailable && service(freshness) == .stopped)
        freshness.recordSync(startedAt: clock.source.uptime())
        #expect(freshness.status == .ready && freshness.age == .zero && service(freshness) == .serving)
    }

    @Test("with zero, keys are accepted until the first failed read")
    func zero() {
        let freshness = freshness(maxStaleness: .zero)
        freshness.recordSync(startedAt: .zero)
        clock.advance(by: .seconds(5))
        #expect(freshness.isServing && service(freshness) == .serving)
        freshness.recordFailure()
        #expect(!freshness.isServing && service(freshness) == .stopped)
    }

    @Test("with zero, keys are accepted until a read is late")
    func zeroLate() {
        let freshness = freshness(maxStaleness: .zero)
        freshness.recordSync(startedAt: .zero)
        for _ in 0..<20 {
            freshness.pulse()
            #expect(service(freshness) == .serving)
            clock.advance(by: .milliseconds(100))
        }
        freshness.pulse()
        clock.advance(by: .milliseconds(100))
        freshness.pulse()
        #expect(service(freshness) == .stopped)
    }

    @Test("a hanging read counts as late, and each verification compares the age")
    func late() {
        let freshness = freshness(maxStaleness: .seconds(10))
        freshness.recordSync(startedAt: .zero)
        for step in 0..<101 {
            freshness.pulse()
            #expect(service(freshness) == .serving)
            #expect(freshness.status == (step > 20 ? .degraded : .ready), "\(step)")
            clock.advance(by: .milliseconds(100))
        }
        #expect(service(freshness) == .stopped, "no pulse since")
        #expect(freshness.status == .unavailable)
    }

    @Test("a suspended instance accepts no key until a read from after its wake-up has ended")
    func sleep() {
        let freshness = freshness(maxStaleness: .seconds(60))
        freshness.recordSync(startedAt: .zero)
        freshness.pulse()
        #expect(service(freshness) == .serving)
        let before = clock.source.uptime()
        clock.advance(by: .milliseconds(1_100))
        #expect(service(freshness) == .asleep, "before the first pulse")
        #expect(freshness.pulse())
        #expect(service(freshness) == .asleep)
        freshness.recordSync(startedAt: before)
        #expect(service(freshness) == .asleep, "that read began before the wake-up")
        freshness.recordSync(startedAt: clock.source.uptime())
        #expect(service(freshness) == .serving)
        clock.advance(by: .seconds(2))
        freshness.pulse()
        freshness.recordFailure(startedAt: clock.source.uptime())
        #expect(service(freshness) == .serving, "the database is unavailable, so keys are served from memory")
    }

    @Test("a clock step makes neither stale keys fresh nor fresh keys stale")
    func clockSet() {
        let freshness = freshness(maxStaleness: .seconds(60))
        freshness.recordSync(startedAt: .zero)
        freshness.pulse()
        for jump in [-3_600, 3_600] {
            #expect(freshness.service(at: clock.source.now().advanced(by: .seconds(jump))) == .serving)
        }
        clock.advance(by: .seconds(2))
        for jump in [-3_600, 0, 3_600] {
            #expect(freshness.service(at: clock.source.now().advanced(by: .seconds(jump))) == .asleep)
        }
    }
}
