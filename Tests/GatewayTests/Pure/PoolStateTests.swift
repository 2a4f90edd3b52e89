import NIOCore
import Testing

@testable import Gateway

/// Who gets which upstream connection.
@Suite struct PoolStateTests {
    private final class Thing {}
    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func isWait(_ grant: PoolState<Thing, Thing>.Grant) -> Bool {
        if case .wait = grant { true } else { false }
    }

    private func isConnect(_ grant: PoolState<Thing, Thing>.Grant) -> Bool {
        if case .connect = grant { true } else { false }
    }

    @Test func `the connection used last is used first`() {
        var pool = PoolState<Thing, Thing>(limit: 4)
        let (first, second) = (Thing(), Thing())
        _ = pool.acquire(Thing(), fresh: false)
        _ = pool.acquire(Thing(), fresh: false)
        #expect(pool.release(first, now: now) == nil)
        #expect(pool.release(second, now: now) == nil)
        guard case .reuse(let connection) = pool.acquire(Thing(), fresh: false) else {
            Issue.record("an idle connection was there")
            return
        }
        #expect(connection === second)
    }

    @Test func `a fresh connection is never an idle one`() {
        var pool = PoolState<Thing, Thing>(limit: 4)
        _ = pool.acquire(Thing(), fresh: false)
        _ = pool.release(Thing(), now: now)
        #expect(isConnect(pool.acquire(Thing(), fresh: true)))
    }

    @Test func `beyond the limit requests wait their turn, and those that left are passed over`() {
        var pool = PoolState<Thing, Thing>(limit: 1)
        let (connection, gone, waiting) = (Thing(), Thing(), Thing())
        #expect(isConnect(pool.acquire(Thing(), fresh: false)))
        #expect(isWait(pool.acquire(gone, fresh: false)))
        #expect(isWait(pool.acquire(waiting, fresh: false)))
        pool.cancel(gone)
        #expect(pool.release(connection, now: now) === waiting)
        #expect(pool.open == 1)
    }

    @Test func `a closed connection makes room for who waits`() {
        var pool = PoolState<Thing, Thing>(limit: 1)
        let waiting = Thing()
        _ = pool.acquire(Thing(), fresh: false)
        _ = pool.acquire(waiting, fresh: false)
        #expect(pool.closed(nil) === waiting)
        #expect(pool.open == 1)
        #expect(pool.closed(nil) == nil)
        #expect(pool.open == 0)
    }

    @Test func `a connection that closed while idle is not given out`() {
        var pool = PoolState<Thing, Thing>(limit: 2)
        let connection = Thing()
        _ = pool.acquire(Thing(), fresh: false)
        _ = pool.release(connection, now: now)
        _ = pool.closed(connection)
        #expect(isConnect(pool.acquire(Thing(), fresh: false)))
        #expect(pool.open == 1)
    }

    @Test func `only connections that were idle for long expire`() {
        var pool = PoolState<Thing, Thing>(limit: 2)
        let (old, young) = (Thing(), Thing())
        _ = pool.acquire(Thing(), fresh: false)
        _ = pool.acquire(Thing(), fresh: false)
        _ = pool.release(old, now: now)
        _ = pool.release(young, now: now + .seconds(10))
        let expired = pool.expired(before: now + .seconds(5))
        #expect(expired.count == 1)
        #expect(expired.first === old)
    }

    @Test func `a connection that is about to close serves nobody, and counts until it has`() {
        var pool = PoolState<Thing, Thing>(limit: 2)
        let (connection, front) = (Thing(), Thing())
        _ = pool.acquire(front, fresh: false)
        _ = pool.release(connection, now: .now())
        pool.withdraw(connection)
        #expect(isConnect(pool.acquire(front, fresh: false)))
        #expect(pool.open == 2)
        _ = pool.closed(connection)
        #expect(pool.open == 1)
    }
}
