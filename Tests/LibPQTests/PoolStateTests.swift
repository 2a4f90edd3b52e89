import Testing

@testable import LibPQ

/// Tests of the pool's state machine, event by event, without sockets and clocks.
@Suite("PoolState") struct PoolStateTests {
    private let start = ContinuousClock.now

    private func state(maximum: Int = 2) -> PoolState {
        PoolState(
            PoolConfiguration(
                maximumConnections: maximum, acquireTimeout: .seconds(5), idleTimeout: .seconds(60),
                maximumLifetime: .seconds(600)))
    }

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// Returns the actions without the timers.
    private func work(_ actions: [PoolState.Action]) -> [PoolState.Action] {
        actions.filter { if case .wake = $0 { false } else { true } }
    }

    @Test("connections are opened for waiting callers, up to the maximum") func opensUpToMaximum() {
        var pool = state()
        #expect(pool.request(1, deadline: at(5), now: at(0)) == [.open(1), .wake(at(5))])
        #expect(work(pool.request(2, deadline: at(5), now: at(0))) == [.open(2)])
        #expect(work(pool.request(3, deadline: at(5), now: at(0))) == [])
        #expect(pool.statistics.connecting == 2)
        #expect(pool.statistics.waiting == 3)
        #expect(work(pool.connected(1, now: at(1))) == [.lend(1, to: 1)])
        #expect(work(pool.connected(2, now: at(1))) == [.lend(2, to: 2)])
        #expect(work(pool.giveBack(2, isReusable: true, now: at(2))) == [.lend(2, to: 3)])
        #expect(pool.statistics.leased == 2)
    }

    @Test("the caller that has waited longest is served first") func servesInOrder() {
        var pool = state(maximum: 1)
        _ = pool.request(1, deadline: at(5), now: at(0))
        _ = pool.connected(1, now: at(0))
        for waiter in 2...4 { _ = pool.request(UInt64(waiter), deadline: at(5), now: at(0)) }
        pool.withdraw(3)
        #expect(work(pool.giveBack(1, isReusable: true, now: at(1))) == [.lend(1, to: 2)])
        #expect(work(pool.giveBack(1, isReusable: true, now: at(1))) == [.lend(1, to: 4)])
    }

    @Test("a waiting caller is refused at its deadline") func deadline() {
        var pool = state(maximum: 1)
        _ = pool.request(1, deadline: at(5), now: at(0))
        _ = pool.connected(1, now: at(0))
        _ = pool.request(2, deadline: at(5), now: at(0))
        _ = pool.request(3, deadline: at(6), now: at(1))
        #expect(pool.tick(now: at(5)) == [.refuse(2, .exhausted), .wake(at(6))])
        #expect(work(pool.giveBack(1, isReusable: true, now: at(5.5))) == [.lend(1, to: 3)])
    }

    @Test("a broken connection is replaced for a waiting caller") func replacesBroken() {
        var pool = state(maximum: 1)
        _ = pool.request(1, deadline: at(5), now: at(0))
        _ = pool.connected(1, now: at(0))
        _ = pool.request(2, deadline: at(5), now: at(0))
        #expect(work(pool.giveBack(1, isReusable: false, now: at(1))) == [.close(1), .open(2)])
        #expect(work(pool.connected(2, now: at(1))) == [.lend(2, to: 2)])
    }

    @Test("a caller that finds a dead connection is served next") func deadConnection() {
        var pool = state(maximum: 2)
        _ = pool.request(1, deadline: at(5), now: at(0))
        _ = pool.request(2, deadline: at(5), now: at(0))
        _ = pool.connected(1, now: at(0))
        _ = pool.connected(2, now: at(0))
        _ = pool.giveBack(1, isReusable: true, now: at(0))
        _ = pool.giveBack(2, isReusable: true, now: at(0))
        #expect(work(pool.request(3, deadline: at(5), now: at(1))) == [.lend(2, to: 3)])
        #expect(work(pool.foundDead(2, by: 3, deadline: at(5), now: at(1))) == [.close(2), .lend(1, to: 3)])
        _ = pool.request(4, deadline: at(5), now: at(1))
        #expect(work(pool.foundDead(1, by: 3, deadline: at(5), now: at(1))) == [.close(1), .open(4)])
        #expect(work(pool.connected(3, now: at(1))) == [.lend(3, to: 3)])
    }

    @Test("while connecting fails, callers are refused at once, and only one attempt is made at a time")
    func failingConnects() {
        var pool = state(maximum: 4)
        _ = pool.request(1, deadline: at(5), now: at(0))
        #expect(work(pool.connectFailed(1, fraction: 1, now: at(0))) == [.refuse(1, .connectionFailed)])
        #expect(work(pool.request(2, deadline: at(5), now: at(0.01))) == [.refuse(2, .connectionFailed)])
        // After the backoff, one attempt is made for all callers.
        #expect(work(pool.request(3, deadline: at(6), now: at(1))) == [.open(2)])
        #expect(work(pool.request(4, deadline: at(6), now: at(1))) == [])
        #expect(
            work(pool.connectFailed(2, fraction: 1, now: at(1)))
                == [.refuse(3, .connectionFailed), .refuse(4, .connectionFailed)])
        #expect(pool.statistics.totalFailures == 2)
    }

    @Test("after a recovery, connections are opened for all callers again") func recovery() {
        var pool = state(maximum: 4)
        _ = pool.request(1, deadline: at(5), now: at(0))
        _ = pool.connectFailed(1, fraction: 1, now: at(0))
        #expect(work(pool.request(2, deadline: at(5), now: at(0.1))) == [.open(2)])
        #expect(work(pool.request(3, deadline: at(5), now: at(0.1))) == [])
        #expect(work(pool.connected(2, now: at(0.2))) == [.lend(2, to: 2), .open(3)])
    }

    @Test("a failed attempt is repeated for a waiting caller while other connections are open")
    func repeatsFailedAttempt() {
        var pool = state(maximum: 2)
        _ = pool.request(1, deadline: at(5), now: at(0))
        _ = pool.connected(1, now: at(0))
        _ = pool.request(2, deadline: at(5), now: at(0))
        let actions = pool.connectFailed(2, fraction: 1, now: at(0))
        #expect(actions == [.wake(at(0.05))])
        #expect(work(pool.tick(now: at(0.05))) == [.open(3)])
    }

    @Test("the backoff is limited to half a second") func backoffLimit() {
        var backoff = Backoff()
        let delays = (0..<100).map { _ in backoff.failed(fraction: 1) }
        #expect(delays.max() == .milliseconds(500))
        #expect(delays.first == .milliseconds(50))
        #expect(backoff.failed(fraction: 0) == .zero)
    }

    @Test("idle and old connections are closed") func retirement() {
        var pool = state()
        _ = pool.request(1, deadline: at(5), now: at(0))
        _ = pool.connected(1, now: at(0))
        let idle = pool.giveBack(1, isReusable: true, now: at(10))
        #expect(idle.isEmpty, "an earlier wake-up is already set")
        #expect(pool.tick(now: at(11)) == [.wake(at(70))])
        #expect(work(pool.tick(now: at(69))) == [])
        #expect(work(pool.tick(now: at(70))) == [.close(1)])
        _ = pool.request(2, deadline: at(75), now: at(70))
        _ = pool.connected(2, now: at(70))
        #expect(work(pool.giveBack(2, isReusable: true, now: at(700))) == [.close(2)])
    }

    @Test("outdated wake-ups request no further ones") func outdatedWakes() {
        var pool = state(maximum: 1)
        _ = pool.request(1, deadline: at(100), now: at(0))
        _ = pool.connected(1, now: at(0))
        #expect(pool.request(2, deadline: at(5), now: at(0)) == [.wake(at(5))])
        #expect(pool.giveBack(1, isReusable: true, now: at(1)) == [.lend(1, to: 2)])
        _ = pool.request(3, deadline: at(50), now: at(1))
        #expect(pool.tick(now: at(5)) == [.wake(at(50))])
        #expect(pool.tick(now: at(6)) == [])
    }

    @Test("a closed pool refuses calls and closes returned connections") func closedPool() {
        var pool = state()
        for waiter in 1...3 { _ = pool.request(UInt64(waiter), deadline: at(5), now: at(0)) }
        _ = pool.connected(1, now: at(0))
        #expect(Set(pool.close()) == [.refuse(2, .closed), .refuse(3, .closed)])
        #expect(pool.connected(2, now: at(1)) == [.close(2)])
        #expect(pool.request(4, deadline: at(5), now: at(1)) == [.refuse(4, .closed)])
        #expect(pool.giveBack(1, isReusable: true, now: at(1)) == [.close(1)])
        #expect(pool.statistics.leased == 0)
        #expect(pool.giveBack(1, isReusable: true, now: at(1)) == [], "a second return has no effect")
    }
}
