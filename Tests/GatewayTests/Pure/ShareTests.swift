import NIOCore
import Testing

@testable import Gateway

@Suite("Shares of accounts")
struct ShareTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test("one holder gets half, and the next one gets a slot", arguments: [1, 2, 7, 512])
    func share(_ limit: Int) {
        var share = FairShare<Int>(limit: limit)
        while share.acquire(1) {}
        #expect(share.held(by: 1) == (limit + 1) / 2)
        let isAdmitted = share.acquire(2)
        #expect(isAdmitted == (limit > 1))
        while share.held(by: 1) > 0 { share.release(1) }
        share.release(1)
        #expect(share.used == share.held(by: 2))
    }

    @Test("the queue serves holders in turn")
    func turns() {
        final class Element: Identifiable {}
        var queue = FairQueue<Element, Int>()
        let greedy = (0..<3).map { _ in Element() }
        let (other, removed) = (Element(), Element())
        for element in greedy { queue.append(element, of: 1) }
        queue.append(removed, of: 3)
        queue.append(other, of: 2)
        queue.remove(removed, of: 3)
        #expect(queue.count == 4 && queue.contains(other, of: 2) && !queue.contains(removed, of: 3))
        #expect(queue.popFirst { _ in true }?.element === greedy[0])
        #expect(queue.popFirst { _ in true }?.element === other)
        #expect(queue.popFirst { $0 == 2 } == nil)
        #expect(queue.popFirst { _ in true }?.element === greedy[1])
        #expect(queue.popFirst { _ in true }?.element === greedy[2])
        #expect(queue.popFirst { _ in true } == nil && queue.count == 0)
    }

    @Test(
        "the oldest exchange of the largest holder is evicted first, down to the share of the waiting one"
    )
    func eviction() {
        func candidate(_ holder: Int, _ seconds: Int64) -> Eviction.Candidate<Int> {
            .init(holder: holder, since: start + .seconds(seconds))
        }
        let candidates = [candidate(1, 3), candidate(2, 1), candidate(1, 2), candidate(3, 0), candidate(1, 4)]
        let held = [1: 4, 2: 3, 3: 1]
        func choose(beyond least: Int, count: Int) -> [Int] {
            Eviction.choose(from: candidates, held: { held[$0] ?? 0 }, beyond: least, count: count)
        }
        #expect(choose(beyond: 0, count: 1) == [2])
        #expect(choose(beyond: 2, count: 9).sorted() == [0, 1, 2])
        #expect(choose(beyond: 0, count: 9).sorted() == [0, 1, 2, 3, 4])
        #expect(choose(beyond: 4, count: 9).isEmpty)
    }

    @Test("an exchange is evicted only if it waits for its client")
    func exchange() {
        var exchange = Exchange(
            timeouts: .init(
                connect: .seconds(5), responseHead: .seconds(60), idle: .seconds(30), keepAlive: .seconds(75),
                requestHead: .seconds(10), tunnelIdle: .seconds(600)),
            now: start)
        #expect(exchange.evict(now: start) == nil)
        _ = exchange.begin(.init(hasBody: true, persists: true, isRepeatable: false), .forward, now: start)
        #expect(exchange.evict(now: start) == nil)
        _ = exchange.upstreamReady(isReused: false, now: start)
        #expect(exchange.lastProgress == start)
        var tunnel = exchange
        _ = tunnel.switched(now: start)
        #expect(tunnel.lastTunnelProgress == start)
        #expect(tunnel.evict(now: start) == .closeWebSocket)
        var responding = exchange
        _ = responding.responseHead(upstreamPersists: true, canDelimit: true, now: start)
        #expect(responding.evict(now: start) == .abort)
        #expect(exchange.evict(now: start) == .reply(.init(answer: .requestTimeout, then: .linger)))
        #expect(exchange.evict(now: start) == nil)
    }
}
