import Glibc
import TestSupport
import Testing

@testable import AuthKeys

/// The bounds of docs/limits.md, in simulated time. `KEYWARD_LIMIT_SEEDS` sets the number of runs of each setup.
@Suite("Limits of several instances, simulated")
struct LimitSimulationTests {
    private static let seeds = getenv("KEYWARD_LIMIT_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 1

    struct Group: Sendable, CustomTestStringConvertible {
        let instances: Int
        let traffic: LimitSimulation.Traffic
        let load: Double
        var testDescription: String { "\(instances) instances, \(traffic.rawValue), load \(load)" }
    }

    private static let groups = [1, 2, 8, 32].flatMap { instances in
        [LimitSimulation.Traffic.even, .uneven, .bursty, .shifting].flatMap { traffic in
            [0.8, 3].map { Group(instances: instances, traffic: traffic, load: $0) }
        }
    }

    /// The largest number of units beyond `burst + rate × t` in any interval.
    private static func bound(_ setup: LimitSimulation.Setup) -> Double {
        let terms = LimitTerms.rate(setup.rate, burst: setup.burst)
        let instances = Double(setup.instances)
        let opening = max(setup.burst, instances)
        return setup.rate * terms.hold + opening + LimitCell.overdraftPart * setup.burst * (1 + log(instances))
    }

    @Test("admitted units stay within the bounds", arguments: groups)
    func admittedUnits(group: Group) {
        var (admitted, ideal, offered) = (0.0, 0.0, 0.0)
        for seed in 1...Self.seeds {
            for (rate, window, seconds) in [(10.0, 1.0, 16.0), (100, 1, 6), (500, 1, 3), (10, 10, 20)] {
                let setup = LimitSimulation.Setup(
                    instances: group.instances, traffic: group.traffic, load: group.load, rate: rate, window: window,
                    seconds: seconds, seed: seed, step: 0.004)
                let result = LimitSimulation.run(setup)
                #expect(result.excess <= Self.bound(setup), "\(setup)")
                // Rates of several sizes have the same weight.
                admitted += result.admitted / result.offered
                ideal += result.ideal / result.offered
                offered += 1
            }
        }
        #expect((admitted - ideal) / ideal <= 0.05)
        #expect((ideal - admitted) / ideal <= (group.traffic == .bursty ? 0.08 : 0.05))
    }

    @Test("an instance that is alone decides as a perfect bucket", arguments: [0.8, 3], [1.0, 10])
    func oneInstance(load: Double, window: Double) {
        for (seed, traffic) in [LimitSimulation.Traffic.even, .bursty].enumerated() {
            let setup = LimitSimulation.Setup(
                instances: 1, traffic: traffic, load: load, rate: 50, window: window, seconds: 20, seed: UInt64(seed))
            let result = LimitSimulation.run(setup)
            #expect(result.admitted > 0)
            #expect(result.differences == 0, "\(setup)")
        }
    }

    @Test("requests that reach all instances at once get few bursts", arguments: [8, 32])
    func requestsAtOnce(instances: Int) {
        for window in [1.0, 60] {
            let setup = LimitSimulation.Setup(
                instances: instances, traffic: .spray, load: 1, rate: window == 1 ? 100 : 2, window: window,
                seconds: 20, seed: 1)
            let result = LimitSimulation.run(setup)
            #expect(result.excess <= Self.bound(setup))
            #expect(result.excess <= 1.5 * max(setup.burst, Double(instances)))
        }
    }

    /// An instance that forgot a limit and began with an opening again once let a limit of 1/s run at three times its
    /// rate. The debt grew without end.
    @Test("an instance gets an opening only for a limit that is full", arguments: [8, 32])
    func openings(instances: Int) {
        // Each instance gets a request so rarely that it forgets the limit, if it is allowed to.
        let setup = LimitSimulation.Setup(
            instances: instances, traffic: .even, load: 3, rate: 1, seconds: 300, seed: 1, step: 0.01)
        let result = LimitSimulation.run(setup)
        #expect(result.admitted <= Double(instances) + setup.rate * setup.seconds * 1.05)
    }

    /// Instances that reported all units of an outage once refused every request for as long as the outage lasted.
    @Test("units of an outage are limited, and not owed afterwards", arguments: [2, 8])
    func outage(instances: Int) {
        for load in [3.0, 0.8] {
            let setup = LimitSimulation.Setup(
                instances: instances, traffic: .even, load: load, rate: 100, seconds: 60, seed: 3, step: 0.004,
                outage: 10..<40)
            let seconds = LimitSimulation.run(setup).bySecond
            let meanwhile = seconds[12..<40].reduce(0, +) / (28 * setup.rate)
            let afterwards = seconds[40..<50].reduce(0, +) / (10 * setup.rate)
            #expect((0.7...1.25).contains(meanwhile))
            #expect((0.7...1.2).contains(afterwards))
        }
    }

    @Test("a client that waits as long as it should is admitted at the first attempt")
    func retryAfter() {
        var random = SeededRandom(state: 5)
        var (attempts, successes) = (0, 0)
        for instances in [1, 2, 8] {
            for (rate, window) in [(10.0, 1.0), (2, 30), (100, 1)] {
                var simulation = LimitSimulation(
                    .init(
                        instances: instances, traffic: .even, load: 0, rate: rate, window: window, seconds: 0, seed: 1))
                var (now, wait) = (0.0, 0.0)
                var isRetry = false
                while now < 300 {
                    simulation.follow(at: now)
                    wait -= 0.004
                    now += 0.004
                    guard wait <= 0 else { continue }
                    let instance = Int.random(in: 0..<instances, using: &random)
                    let refusal = simulation.attempt(at: instance, now)
                    if isRetry {
                        attempts += 1
                        if refusal == nil { successes += 1 }
                    }
                    isRetry = refusal != nil
                    wait = refusal ?? 0
                }
            }
        }
        #expect(attempts > 300)
        #expect(Double(successes) >= 0.95 * Double(attempts), "\(successes) of \(attempts)")
    }
}
