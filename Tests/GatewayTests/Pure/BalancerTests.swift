import NIOCore
import Testing

@testable import Gateway

/// The selection of upstreams, and their ejection.
@Suite("Balancer") struct BalancerTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test("an upstream is ejected after three consecutive failures, and then tried by one request") func ejection() {
        var health = TargetHealth()
        let early = (0..<2).map { _ in health.failed(now: start) }
        #expect(early == [false, false])
        #expect(health.isUsable(now: start))
        let third = health.failed(now: start)
        #expect(third)
        #expect(!health.isUsable(now: start + .milliseconds(999)))
        let again = start + .seconds(1)
        #expect(health.isUsable(now: again))
        health.isTried(now: again)
        #expect(!health.isUsable(now: again))
        health.succeeded()
        #expect(health == TargetHealth())
    }

    @Test("the ejection gets longer each time, up to 30 seconds") func pauses() {
        var health = TargetHealth()
        var now = start
        var pauses: [Int64] = []
        for _ in 0..<12 {
            if health.failed(now: now), let until = health.ejectedUntil {
                pauses.append((until - now).nanoseconds / 1_000_000_000)
                now = until
            }
        }
        #expect(pauses == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30])
    }

    @Test("a success resets the count of failures") func success() {
        var health = TargetHealth()
        for _ in 0..<10 {
            _ = health.failed(now: start)
            _ = health.failed(now: start)
            health.succeeded()
        }
        #expect(health.isUsable(now: start))
    }

    @Test("the least loaded upstream is picked, and equal ones take turns") func leastLoaded() {
        var balancer = Balancer(targets: 3)
        let loads = [2, 1, 2]
        let picked = (0..<5).map { _ in balancer.pick(now: start, excluding: 0, load: { loads[$0] }) }
        #expect(picked.allSatisfy { $0 == 1 })
        let even = (0..<6).map { _ in balancer.pick(now: start, excluding: 0, load: { _ in 0 }) }
        #expect(Set(even) == [0, 1, 2])
    }

    @Test("an upstream that was tried for a request is not picked again") func excluded() {
        var balancer = Balancer(targets: 2)
        let second = balancer.pick(now: start, excluding: 0b01, load: { _ in 0 })
        #expect(second == 1)
        let none = balancer.pick(now: start, excluding: 0b11, load: { _ in 0 })
        #expect(none == nil)
    }

    @Test("an ejected upstream is picked only if there is no other") func lastResort() {
        var balancer = Balancer(targets: 2)
        for _ in 0..<3 { _ = balancer.failed(0, now: start) }
        let picked = (0..<4).map { _ in balancer.pick(now: start, excluding: 0, load: { $0 == 0 ? 0 : 9 }) }
        #expect(picked.allSatisfy { $0 == 1 })
        for _ in 0..<3 { _ = balancer.failed(1, now: start + .milliseconds(10)) }
        let last = balancer.pick(now: start + .milliseconds(20), excluding: 0, load: { _ in 0 })
        #expect(last == 0)
    }
}
