import NIOCore
import Testing

@testable import Gateway

@Suite("Pool state") struct PoolStateTests {
    private final class Element: Identifiable {}
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private typealias Pool = PoolState<Element, Element, Int>

    private func isConnect(_ grant: Pool.Grant?) -> Bool {
        if case .connect? = grant { true } else { false }
    }

    @Test("the connection used last is used first") func lastInFirstOut() {
        var pool = Pool(limit: 8)
        let (first, second) = (Element(), Element())
        _ = pool.acquire(Element(), of: 1, fresh: false)
        _ = pool.acquire(Element(), of: 1, fresh: false)
        pool.release(first, of: 1, now: now)
        pool.release(second, of: 1, now: now)
        guard case .reuse(let connection)? = pool.acquire(Element(), of: 1, fresh: false) else {
            Issue.record("the idle connection was not reused")
            return
        }
        #expect(connection === second)
    }

    @Test("a fresh connection is never an idle one") func fresh() {
        var pool = Pool(limit: 4)
        _ = pool.acquire(Element(), of: 1, fresh: false)
        pool.release(Element(), of: 1, now: now)
        #expect(isConnect(pool.acquire(Element(), of: 1, fresh: true)))
    }

    @Test("beyond the limit, requests wait their turn, and cancelled ones are skipped") func waiting() {
        var pool = Pool(limit: 1)
        let (connection, cancelled, waiting) = (Element(), Element(), Element())
        #expect(isConnect(pool.acquire(Element(), of: 1, fresh: false)))
        #expect(pool.acquire(cancelled, of: 2, fresh: false) == nil)
        #expect(pool.acquire(waiting, of: 2, fresh: false) == nil)
        pool.cancel(cancelled, of: 2)
        #expect(pool.next() == nil)
        pool.release(connection, of: 1, now: now)
        let served = pool.next()
        #expect(served?.waiter === waiting && served?.holder == 2)
        #expect(pool.next() == nil)
        #expect(pool.open == 1)
    }

    @Test("a closed connection admits a waiting request") func closed() {
        var pool = Pool(limit: 1)
        let waiting = Element()
        _ = pool.acquire(Element(), of: 1, fresh: false)
        _ = pool.acquire(waiting, of: 2, fresh: false)
        pool.closed(nil, of: 1)
        #expect(pool.next()?.waiter === waiting)
        #expect(pool.open == 1)
        pool.closed(nil, of: 2)
        #expect(pool.next() == nil)
        #expect(pool.open == 0)
    }

    @Test("a connection that closed while idle is not reused") func closedWhileIdle() {
        var pool = Pool(limit: 2)
        let connection = Element()
        _ = pool.acquire(Element(), of: 1, fresh: false)
        pool.release(connection, of: 1, now: now)
        pool.closed(connection, of: nil)
        #expect(isConnect(pool.acquire(Element(), of: 1, fresh: false)))
        #expect(pool.open == 1)
    }

    @Test("a holder waits while it holds as many connections as are free, and others do not wait behind it")
    func share() {
        var pool = Pool(limit: 4)
        let held = [Element(), Element()]
        for _ in held { #expect(isConnect(pool.acquire(Element(), of: 1, fresh: false))) }
        let waiting = Element()
        #expect(pool.acquire(waiting, of: 1, fresh: false) == nil)
        #expect(pool.isHeldBack(waiting, of: 1))
        #expect(isConnect(pool.acquire(Element(), of: 2, fresh: false)))
        #expect(pool.acquire(Element(), of: 2, fresh: false) == nil)
        #expect(isConnect(pool.acquire(Element(), of: 3, fresh: false)))
        let last = Element()
        #expect(pool.acquire(last, of: 4, fresh: false) == nil)
        #expect(!pool.isHeldBack(last, of: 4))
        #expect(pool.pressure?.waiting == 3 && pool.pressure?.least == 0)
        pool.release(held[0], of: 1, now: now)
        #expect(pool.next()?.holder == 4)
        #expect(pool.next() == nil)
    }

    @Test("a tunnel leaves the pool, and is part of the load until it is closed")
    func tunnel() {
        var pool = Pool(limit: 1)
        _ = pool.acquire(Element(), of: 1, fresh: false)
        pool.becameTunnel(of: 1)
        #expect(pool.open == 0 && pool.load == 1)
        #expect(isConnect(pool.acquire(Element(), of: 1, fresh: false)))
        pool.tunnelClosed()
        #expect(pool.load == 1)
    }

    @Test("only connections that were idle for long expire") func expired() {
        var pool = Pool(limit: 8)
        let (old, young) = (Element(), Element())
        _ = pool.acquire(Element(), of: 1, fresh: false)
        _ = pool.acquire(Element(), of: 1, fresh: false)
        pool.release(old, of: 1, now: now)
        pool.release(young, of: 1, now: now + .seconds(10))
        let expired = pool.expired(before: now + .seconds(5))
        #expect(expired.count == 1)
        #expect(expired.first === old)
    }

    @Test("a connection that is about to close is not reused, and counts until it has closed") func closing() {
        var pool = Pool(limit: 8)
        let (connection, front) = (Element(), Element())
        _ = pool.acquire(front, of: 1, fresh: false)
        pool.release(connection, of: 1, now: .now())
        pool.withdraw(connection)
        #expect(isConnect(pool.acquire(front, of: 1, fresh: false)))
        #expect(pool.open == 2)
        pool.closed(connection, of: nil)
        #expect(pool.open == 1)
    }
}
