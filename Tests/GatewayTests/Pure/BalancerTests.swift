import NIOCore
import Testing

@testable import Gateway

/// Which upstream is asked, and which is left alone.
@Suite struct BalancerTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    @Test func `an upstream is left alone after three failures in a row, and tried again by one`() {
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

    @Test func `it is left alone longer each time, up to half a minute`() {
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

    @Test func `a success in between begins the count anew`() {
        var health = TargetHealth()
        for _ in 0..<10 {
            _ = health.failed(now: start)
            _ = health.failed(now: start)
            health.succeeded()
        }
        #expect(health.isUsable(now: start))
    }

    @Test func `the least loaded is picked, and equals take turns`() {
        var balancer = Balancer(targets: 3)
        let loads = [2, 1, 2]
        let picked = (0..<5).map { _ in balancer.pick(now: start, excluding: 0, load: { loads[$0] }) }
        #expect(picked.allSatisfy { $0 == 1 })
        let even = (0..<6).map { _ in balancer.pick(now: start, excluding: 0, load: { _ in 0 }) }
        #expect(Set(even) == [0, 1, 2])
    }

    @Test func `what was tried for a request is not tried again`() {
        var balancer = Balancer(targets: 2)
        let second = balancer.pick(now: start, excluding: 0b01, load: { _ in 0 })
        #expect(second == 1)
        let none = balancer.pick(now: start, excluding: 0b11, load: { _ in 0 })
        #expect(none == nil)
    }

    @Test func `an ejected upstream is passed over, and tried when there is no other`() {
        var balancer = Balancer(targets: 2)
        for _ in 0..<3 { _ = balancer.failed(0, now: start) }
        let picked = (0..<4).map { _ in balancer.pick(now: start, excluding: 0, load: { $0 == 0 ? 0 : 9 }) }
        #expect(picked.allSatisfy { $0 == 1 })
        for _ in 0..<3 { _ = balancer.failed(1, now: start + .milliseconds(10)) }
        let last = balancer.pick(now: start + .milliseconds(20), excluding: 0, load: { _ in 0 })
        #expect(last == 0)
    }
}
