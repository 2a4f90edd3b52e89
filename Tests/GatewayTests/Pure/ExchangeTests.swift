import AuthKeys
import NIOCore
import Testing

@testable import Gateway

/// The decisions of one exchange, event by event.
@Suite("Exchange") struct ExchangeTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    private let get = Exchange.Request(hasBody: false, persists: true, isRepeatable: true)
    private let post = Exchange.Request(hasBody: true, persists: true, isRepeatable: false)

    private func fresh() -> Exchange {
        Exchange(
            timeouts: .init(
                connect: .seconds(5), responseHead: .seconds(60), idle: .seconds(30), keepAlive: .seconds(75),
                requestHead: .seconds(10), tunnelIdle: .seconds(600)),
            now: start)
    }

    /// An exchange whose request was sent to the upstream.
    private func awaiting(_ request: Exchange.Request, isReused: Bool = false) -> Exchange {
        var exchange = fresh()
        _ = exchange.begin(request, .forward, now: start)
        _ = exchange.upstreamReady(isReused: isReused, now: start)
        return exchange
    }

    private func reply(_ answer: Answer, _ then: Exchange.Continuation) -> Exchange.Reply {
        Exchange.Reply(answer: answer, then: then)
    }

    private func responding(_ request: Exchange.Request) -> Exchange {
        var exchange = awaiting(request)
        _ = exchange.responseHead(upstreamPersists: true, canDelimit: true, now: start)
        return exchange
    }

    @Test("a request is forwarded, its response is returned, and both connections persist") func roundTrip() {
        var exchange = fresh()
        #expect(exchange.begin(get, .forward, now: start) == .acquireUpstream)
        #expect(exchange.upstreamReady(isReused: false, now: start) == .forward)
        #expect(exchange.responseHead(upstreamPersists: true, canDelimit: true, now: start) == .forward)
        #expect(exchange.responsePiece(now: start) == .forward)
        #expect(exchange.responseEnd(now: start) == .init(keepsUpstream: true, then: .next))
        #expect(exchange.stage == .idle)
    }

    @Test("no chunk of a body passes before an upstream is connected") func bodyWaits() {
        var exchange = fresh()
        _ = exchange.begin(post, .forward, now: start)
        #expect(!exchange.awaitsBody)
        #expect(exchange.requestPiece(bytes: 1, now: start) == .discard)
        _ = exchange.upstreamReady(isReused: false, now: start)
        #expect(exchange.awaitsBody)
        #expect(exchange.requestPiece(bytes: 1, now: start) == .forward)
    }

    @Test("a request that the gateway answers itself reads its body first, and outlives its key and no deadline")
    func served() {
        var exchange = fresh()
        #expect(exchange.begin(post, .serve, now: start) == .serve)
        #expect(exchange.awaitsOwnBody && !exchange.awaitsBody)
        #expect(exchange.requestEnd(now: start) == .forward)
        #expect(!exchange.awaitsOwnBody)
        #expect(exchange.keyEnded(.refused(.inactive), now: start) == nil)
        #expect(exchange.evict(now: start) == nil)
        #expect(exchange.served(now: start) == .next)
        #expect(exchange.stage == .idle)
        #expect(exchange.served(now: start) == nil)
        _ = exchange.begin(post, .serve, now: start)
        #expect(exchange.expire(clientStalls: false, now: start + .seconds(14)) == nil)
        let late = exchange.expire(clientStalls: false, now: start + .seconds(15))
        #expect(late == .reply(reply(.requestTimeout, .linger)))
        #expect(exchange.served(.selfService(.unavailable), now: start) == nil)
        exchange = fresh()
        _ = exchange.begin(get, .serve, now: start)
        let slow = exchange.expire(clientStalls: false, now: start + .seconds(15))
        #expect(slow == .reply(reply(.selfService(.unavailable), .next)))
        _ = exchange.begin(get, .serve, now: start)
        let ended = exchange.clientClosed()
        #expect(ended)
    }

    @Test("a refusal keeps the connection and acquires no upstream") func refusal() {
        var exchange = fresh()
        let action = exchange.begin(get, .answer(.refused(.unknown)), now: start)
        #expect(action == .reply(reply(.refused(.unknown), .next)))
        #expect(exchange.stage == .idle)
    }

    @Test("a refusal of a request with a body closes instead of draining it") func refusalWithBody() {
        var exchange = fresh()
        let action = exchange.begin(post, .answer(.refused(.unknown)), now: start)
        #expect(action == .reply(reply(.refused(.unknown), .linger)))
        #expect(exchange.stage == .lingering)
    }

    @Test("an unresolved credential is looked up and then decided") func lookup() {
        var exchange = fresh()
        #expect(exchange.begin(get, .resolve, now: start) == .resolve)
        #expect(exchange.resolved(.forward, now: start) == .acquireUpstream)
        #expect(exchange.resolved(.forward, now: start) == nil)
    }

    @Test("a lookup that takes too long does not refuse the key") func lookupTimeout() {
        var exchange = fresh()
        _ = exchange.begin(get, .resolve, now: start)
        let action = exchange.expire(clientStalls: true, now: start + .seconds(6))
        #expect(action == .reply(reply(.verificationUnavailable, .next)))
        #expect(exchange.resolved(.forward, now: start) == nil)
    }

    @Test("an upstream that cannot be reached gives an error response") func unreachable() {
        var exchange = fresh()
        _ = exchange.begin(get, .forward, now: start)
        let action = exchange.upstreamFailed(.upstreamUnreachable, now: start)
        #expect(action == reply(.upstreamUnreachable, .next))
    }

    @Test("a reused connection that closes silently is replaced once, for a repeatable request") func retry() {
        var exchange = awaiting(get, isReused: true)
        #expect(exchange.upstreamLost(isSilent: true, now: start) == .retry)
        _ = exchange.upstreamReady(isReused: true, now: start)
        #expect(exchange.upstreamLost(isSilent: true, now: start) == .reply(reply(.upstreamReset, .next)))
    }

    @Test("a request that the upstream may have processed is not sent again") func noRetry() {
        var unrepeatable = awaiting(.init(hasBody: false, persists: true, isRepeatable: false), isReused: true)
        #expect(unrepeatable.upstreamLost(isSilent: true, now: start) == .reply(reply(.upstreamReset, .next)))
        var fresh = awaiting(get)
        #expect(fresh.upstreamLost(isSilent: true, now: start) == .reply(reply(.upstreamReset, .next)))
        var talking = awaiting(get, isReused: true)
        #expect(talking.upstreamLost(isSilent: false, now: start) == .reply(reply(.upstreamReset, .next)))
        var withBody = awaiting(.init(hasBody: true, persists: true, isRepeatable: true), isReused: true)
        _ = withBody.requestPiece(bytes: 1, now: start)
        #expect(withBody.upstreamLost(isSilent: true, now: start) == .reply(reply(.upstreamReset, .linger)))
    }

    @Test("an upstream lost within its response aborts the client's connection") func lostInResponse() {
        var exchange = responding(get)
        #expect(exchange.upstreamLost(isSilent: false, now: start) == .abort)
        #expect(exchange.stage == .over)
    }

    @Test("the end of the client's connection closes the upstream's") func clientClosed() {
        for var exchange in [awaiting(get), responding(get), awaiting(post)] {
            #expect(exchange.clientClosed() == true)
            #expect(exchange.clientClosed() == false)
        }
    }

    @Test("a response that ends before its request closes both connections") func earlyEnd() {
        var exchange = responding(post)
        _ = exchange.requestPiece(bytes: 1, now: start)
        #expect(exchange.responseEnd(now: start) == .init(keepsUpstream: false, then: .linger))
    }

    @Test("a response that is delimited by the end of the connection closes the client's") func delimitedByClose() {
        var exchange = awaiting(get)
        _ = exchange.responseHead(upstreamPersists: true, canDelimit: false, now: start)
        #expect(!exchange.persists)
        #expect(exchange.responseEnd(now: start) == .init(keepsUpstream: true, then: .linger))
    }

    @Test("each stage has its own timeout") func timeouts() {
        var idle = fresh()
        #expect(idle.expire(clientStalls: true, now: start + .seconds(74)) == nil)
        #expect(idle.expire(clientStalls: true, now: start + .seconds(75)) == .close)
        var head = fresh()
        head.headIsComing(now: start)
        head.headIsComing(now: start + .seconds(9))
        #expect(head.expire(clientStalls: true, now: start + .seconds(10)) == .reply(reply(.requestTimeout, .linger)))
        var connecting = fresh()
        _ = connecting.begin(get, .forward, now: start)
        #expect(
            connecting.expire(clientStalls: true, now: start + .seconds(5)) == .reply(reply(.upstreamTimeout, .next)))
        var waiting = awaiting(get)
        #expect(waiting.expire(clientStalls: true, now: start + .seconds(60)) == .reply(reply(.upstreamTimeout, .next)))
        var body = responding(get)
        _ = body.responsePiece(now: start + .seconds(20))
        #expect(body.expire(clientStalls: true, now: start + .seconds(49)) == nil)
        #expect(body.expire(clientStalls: true, now: start + .seconds(50)) == .abort)
    }

    @Test("a stalled upload is blamed on the side that stalls") func stalledUpload() {
        var clients = awaiting(post)
        #expect(
            clients.expire(clientStalls: true, now: start + .seconds(30)) == .reply(reply(.requestTimeout, .linger)))
        var upstreams = awaiting(post)
        #expect(
            upstreams.expire(clientStalls: false, now: start + .seconds(30)) == .reply(reply(.upstreamTimeout, .linger))
        )
    }

    @Test("draining closes idle connections and lets running exchanges end") func draining() {
        var idle = fresh()
        #expect(idle.drain() == true)
        var busy = awaiting(get)
        #expect(busy.drain() == false)
        _ = busy.responseHead(upstreamPersists: true, canDelimit: true, now: start)
        #expect(!busy.persists)
        #expect(busy.responseEnd(now: start) == .init(keepsUpstream: true, then: .linger))
    }

    @Test("a malformed request gets an error response, but never within a response") func malformed() {
        var exchange = fresh()
        #expect(exchange.fail(.malformedRequest(nil), now: start) == .reply(reply(.malformedRequest(nil), .linger)))
        var begun = responding(post)
        #expect(begun.fail(.malformedRequest(nil), now: start) == .abort)
    }

    // MARK: Tunnels and invalid keys

    private func tunneling() -> Exchange {
        var exchange = awaiting(get)
        _ = exchange.switched(now: start)
        return exchange
    }

    @Test("a tunnel continues until both sides have ended") func tunnelEnds() {
        for order: [Exchange.Side] in [[.client, .upstream], [.upstream, .client]] {
            var exchange = tunneling()
            #expect(exchange.stage == .tunneling)
            let first = exchange.tunnelEnded(order[0], now: start)
            #expect(first == (order[0] == .client ? .endUpstream : .endClient))
            let again = exchange.tunnelEnded(order[0], now: start)
            #expect(again == nil)
            let piece = exchange.tunnelPiece(now: start)
            #expect(piece == .forward)
            let second = exchange.tunnelEnded(order[1], now: start)
            #expect(second == .complete)
            #expect(exchange.stage == .lingering)
        }
    }

    @Test("a silent tunnel is aborted after its own idle timeout") func tunnelTimeout() {
        var exchange = tunneling()
        #expect(exchange.expire(clientStalls: true, now: start + .seconds(599)) == nil)
        _ = exchange.tunnelPiece(now: start + .seconds(599))
        #expect(exchange.expire(clientStalls: true, now: start + .seconds(601)) == nil)
        let action = exchange.expire(clientStalls: true, now: start + .seconds(1_200))
        #expect(action == .abort)
    }

    @Test("an unrequested tunnel is ignored, and a lost one is reset") func lostTunnel() {
        var exchange = responding(get)
        #expect(exchange.switched(now: start) == .discard)
        var tunnel = tunneling()
        #expect(tunnel.upstreamLost(isSilent: false, now: start) == .abort)
        var left = tunneling()
        #expect(left.clientClosed() == true)
    }

    @Test("an exchange whose key becomes invalid ends in the manner of its stage") func invalidKey() {
        var connecting = fresh()
        _ = connecting.begin(get, .forward, now: start)
        let early = connecting.keyEnded(.refused(.inactive), now: start)
        #expect(early == .reply(reply(.refused(.inactive), .next)))
        var awaiting = awaiting(post)
        let late = awaiting.keyEnded(.refused(.expired), now: start)
        #expect(late == .reply(reply(.refused(.expired), .linger)))
        var responding = responding(get)
        #expect(responding.keyEnded(.refused(.inactive), now: start) == .abort)
        var tunnel = tunneling()
        #expect(tunnel.keyEnded(.refused(.inactive), now: start) == .closeWebSocket)
        #expect(tunnel.stage == .lingering)
        var idle = fresh()
        #expect(idle.keyEnded(.refused(.inactive), now: start) == nil)
        #expect(tunnel.keyEnded(.refused(.inactive), now: start) == nil)
    }

    @Test("until the response begins, the deadline moves only after enough bytes of the body") func uploadStride() {
        var timeouts = Exchange.Timeouts(
            connect: .seconds(5), responseHead: .seconds(60), idle: .seconds(30), keepAlive: .seconds(75),
            requestHead: .seconds(10), tunnelIdle: .seconds(600))
        timeouts.uploadStride = 100
        var exchange = Exchange(timeouts: timeouts, now: start)
        _ = exchange.begin(post, .forward, now: start)
        _ = exchange.upstreamReady(isReused: false, now: start)
        _ = exchange.requestPiece(bytes: 99, now: start + .seconds(20))
        #expect(exchange.deadline == start + .seconds(30))
        _ = exchange.requestPiece(bytes: 1, now: start + .seconds(25))
        #expect(exchange.deadline == start + .seconds(55))
        _ = exchange.responseHead(upstreamPersists: true, canDelimit: true, now: start + .seconds(30))
        _ = exchange.requestPiece(bytes: 1, now: start + .seconds(40))
        #expect(exchange.deadline == start + .seconds(70))
    }

    @Test("a request that waits for a connection times out with 504, not 408") func waitingRequest() {
        var exchange = fresh()
        _ = exchange.begin(post, .forward, now: start)
        let action = exchange.expire(clientStalls: true, now: start + .seconds(6))
        #expect(action == .reply(reply(.upstreamTimeout, .linger)))
    }

    @Test("a client that still reads gets time, after the last response and before the next request")
    func slowReader() {
        var idle = responding(get)
        _ = idle.responseEnd(now: start)
        idle.progressed(now: start + .seconds(70))
        #expect(idle.deadline == start + .seconds(145))
        var last = responding(post)
        _ = last.responseEnd(now: start)
        #expect(last.stage == .lingering)
        last.progressed(now: start + .seconds(29))
        #expect(last.deadline == start + .seconds(59))
        last.outputClosed(now: start + .seconds(40))
        last.progressed(now: start + .seconds(41))
        #expect(last.deadline == start + .seconds(41))
    }

    @Test("after an early response the connection does not persist") func earlyResponse() {
        var early = awaiting(post)
        _ = early.responseHead(upstreamPersists: true, canDelimit: true, now: start)
        #expect(!early.persists)
        var late = awaiting(post)
        _ = late.requestEnd(now: start)
        _ = late.responseHead(upstreamPersists: true, canDelimit: true, now: start)
        #expect(late.persists)
    }

    @Test("a tunnel without its upstream ends, and a half-closed one has a shorter timeout") func halfClosedTunnel() {
        var tunnel = tunneling()
        _ = tunnel.tunnelEnded(.upstream, now: start)
        #expect(tunnel.deadline == start + .seconds(30))
        _ = tunnel.tunnelPiece(now: start + .seconds(10))
        #expect(tunnel.deadline == start + .seconds(40))
        #expect(tunnel.tunnelClosed(now: start + .seconds(20)) == true)
        #expect(tunnel.stage == .lingering)
    }
}
