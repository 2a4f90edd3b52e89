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

    private func responding(_ request: Exchange.Request) -> Exchange {
        var exchange = awaiting(request)
        _ = exchange.responseHead(upstreamPersists: true, canDelimit: true, now: start)
        return exchange
    }

    @Test("a request is forwarded, its response is returned, and both connections persist") func roundTrip() {
        var exchange = fresh()
        #expect(exchange.begin(get, .forward, now: start).actions == .acquireUpstream)
        #expect(exchange.upstreamReady(isReused: false, now: start).actions == .forward)
        #expect(exchange.responseHead(upstreamPersists: true, canDelimit: true, now: start).actions == .forward)
        #expect(exchange.responsePiece(now: start).actions == .forward)
        #expect(exchange.responseEnd(now: start).actions == [.forward, .finish, .releaseUpstream, .next])
        #expect(exchange.stage == .idle)
    }

    @Test("no chunk of a body passes before an upstream is connected") func bodyWaits() {
        var exchange = fresh()
        _ = exchange.begin(post, .forward, now: start)
        #expect(!exchange.awaitsBody)
        #expect(exchange.requestPiece(bytes: 1, now: start).actions == [])
        _ = exchange.upstreamReady(isReused: false, now: start)
        #expect(exchange.awaitsBody)
        #expect(exchange.requestPiece(bytes: 1, now: start).actions == .forward)
    }

    @Test("a refusal keeps the connection and acquires no upstream") func refusal() {
        var exchange = fresh()
        let step = exchange.begin(get, .answer(.refused(.unknown)), now: start)
        #expect(step == .init(actions: [.answer, .finish, .next], answer: .refused(.unknown)))
        #expect(exchange.stage == .idle)
    }

    @Test("a refusal of a request with a body closes instead of draining it") func refusalWithBody() {
        var exchange = fresh()
        #expect(exchange.begin(post, .answer(.refused(.unknown)), now: start).actions == [.answer, .finish, .linger])
        #expect(exchange.stage == .lingering)
    }

    @Test("an unresolved credential is looked up and then decided") func lookup() {
        var exchange = fresh()
        #expect(exchange.begin(get, .resolve, now: start).actions == .resolve)
        #expect(exchange.resolved(.forward, now: start).actions == .acquireUpstream)
        #expect(exchange.resolved(.forward, now: start).actions == [])
    }

    @Test("a lookup that takes too long does not refuse the key") func lookupTimeout() {
        var exchange = fresh()
        _ = exchange.begin(get, .resolve, now: start)
        let step = exchange.expire(clientStalls: true, now: start + .seconds(6))
        #expect(step.answer == .verificationUnavailable)
        #expect(exchange.resolved(.forward, now: start).actions == [])
    }

    @Test("an upstream that cannot be reached gives an error response") func unreachable() {
        var exchange = fresh()
        _ = exchange.begin(get, .forward, now: start)
        let step = exchange.upstreamFailed(.upstreamUnreachable, now: start)
        #expect(step.answer == .upstreamUnreachable)
        #expect(step.actions == [.answer, .finish, .dropUpstream, .next])
    }

    @Test("a reused connection that closes silently is replaced once, for a repeatable request") func retry() {
        var exchange = awaiting(get, isReused: true)
        #expect(exchange.upstreamLost(isSilent: true, now: start).actions == [.dropUpstream, .acquireFreshUpstream])
        _ = exchange.upstreamReady(isReused: true, now: start)
        #expect(exchange.upstreamLost(isSilent: true, now: start).answer == .upstreamReset)
    }

    @Test("a request that the upstream may have processed is not sent again") func noRetry() {
        var unrepeatable = awaiting(.init(hasBody: false, persists: true, isRepeatable: false), isReused: true)
        #expect(unrepeatable.upstreamLost(isSilent: true, now: start).answer == .upstreamReset)
        var fresh = awaiting(get)
        #expect(fresh.upstreamLost(isSilent: true, now: start).answer == .upstreamReset)
        var talking = awaiting(get, isReused: true)
        #expect(talking.upstreamLost(isSilent: false, now: start).answer == .upstreamReset)
        var withBody = awaiting(.init(hasBody: true, persists: true, isRepeatable: true), isReused: true)
        _ = withBody.requestPiece(bytes: 1, now: start)
        #expect(withBody.upstreamLost(isSilent: true, now: start).answer == .upstreamReset)
    }

    @Test("an upstream lost within its response aborts the client's connection") func lostInResponse() {
        var exchange = responding(get)
        #expect(exchange.upstreamLost(isSilent: false, now: start).actions == [.dropUpstream, .finish, .abort])
        #expect(exchange.stage == .over)
    }

    @Test("the end of the client's connection closes the upstream's") func clientClosed() {
        for var exchange in [awaiting(get), responding(get), awaiting(post)] {
            #expect(exchange.clientClosed().actions == [.dropUpstream, .finish])
            #expect(exchange.clientClosed().actions == [])
        }
    }

    @Test("a response that ends before its request closes both connections") func earlyEnd() {
        var exchange = responding(post)
        _ = exchange.requestPiece(bytes: 1, now: start)
        #expect(exchange.responseEnd(now: start).actions == [.forward, .finish, .dropUpstream, .linger])
    }

    @Test("a response that is delimited by the end of the connection closes the client's") func delimitedByClose() {
        var exchange = awaiting(get)
        _ = exchange.responseHead(upstreamPersists: true, canDelimit: false, now: start)
        #expect(!exchange.persists)
        #expect(exchange.responseEnd(now: start).actions == [.forward, .finish, .releaseUpstream, .linger])
    }

    @Test("each stage has its own timeout") func timeouts() {
        var idle = fresh()
        #expect(idle.expire(clientStalls: true, now: start + .seconds(74)).actions == [])
        #expect(idle.expire(clientStalls: true, now: start + .seconds(75)).actions == .close)
        var head = fresh()
        head.headIsComing(now: start)
        head.headIsComing(now: start + .seconds(9))
        #expect(head.expire(clientStalls: true, now: start + .seconds(10)).answer == .requestTimeout)
        var connecting = fresh()
        _ = connecting.begin(get, .forward, now: start)
        #expect(connecting.expire(clientStalls: true, now: start + .seconds(5)).answer == .upstreamTimeout)
        var waiting = awaiting(get)
        #expect(waiting.expire(clientStalls: true, now: start + .seconds(60)).answer == .upstreamTimeout)
        var body = responding(get)
        _ = body.responsePiece(now: start + .seconds(20))
        #expect(body.expire(clientStalls: true, now: start + .seconds(49)).actions == [])
        #expect(body.expire(clientStalls: true, now: start + .seconds(50)).actions.contains(.abort))
    }

    @Test("a stalled upload is blamed on the side that stalls") func stalledUpload() {
        var clients = awaiting(post)
        #expect(clients.expire(clientStalls: true, now: start + .seconds(30)).answer == .requestTimeout)
        var upstreams = awaiting(post)
        #expect(upstreams.expire(clientStalls: false, now: start + .seconds(30)).answer == .upstreamTimeout)
    }

    @Test("draining closes idle connections and lets running exchanges end") func draining() {
        var idle = fresh()
        #expect(idle.drain().actions == .close)
        var busy = awaiting(get)
        #expect(busy.drain().actions == [])
        _ = busy.responseHead(upstreamPersists: true, canDelimit: true, now: start)
        #expect(!busy.persists)
        #expect(busy.responseEnd(now: start).actions == [.forward, .finish, .releaseUpstream, .linger])
    }

    @Test("a malformed request gets an error response, but never within a response") func malformed() {
        var exchange = fresh()
        #expect(exchange.fail(.malformedRequest(nil), now: start).actions == [.answer, .finish, .linger])
        var begun = responding(post)
        #expect(begun.fail(.malformedRequest(nil), now: start).actions == [.dropUpstream, .finish, .abort])
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
            #expect(first.actions == (order[0] == .client ? .endUpstream : .endClient))
            let again = exchange.tunnelEnded(order[0], now: start)
            #expect(again.actions == [])
            let piece = exchange.tunnelPiece(now: start)
            #expect(piece.actions == .forward)
            let second = exchange.tunnelEnded(order[1], now: start)
            #expect(second.actions == [.endUpstream, .finish, .linger])
            #expect(exchange.stage == .lingering)
        }
    }

    @Test("a silent tunnel is aborted after its own idle timeout") func tunnelTimeout() {
        var exchange = tunneling()
        #expect(exchange.expire(clientStalls: true, now: start + .seconds(599)).actions == [])
        _ = exchange.tunnelPiece(now: start + .seconds(599))
        #expect(exchange.expire(clientStalls: true, now: start + .seconds(601)).actions == [])
        let step = exchange.expire(clientStalls: true, now: start + .seconds(1_200))
        #expect(step.actions == [.dropUpstream, .finish, .abort])
    }

    @Test("an unrequested tunnel is ignored, and a lost one is reset") func lostTunnel() {
        var exchange = responding(get)
        #expect(exchange.switched(now: start).actions == [])
        var tunnel = tunneling()
        #expect(tunnel.upstreamLost(isSilent: false, now: start).actions == [.dropUpstream, .finish, .abort])
        var left = tunneling()
        #expect(left.clientClosed().actions == [.dropUpstream, .finish])
    }

    @Test("an exchange whose key becomes invalid ends in the manner of its stage") func invalidKey() {
        var connecting = fresh()
        _ = connecting.begin(get, .forward, now: start)
        let early = connecting.keyEnded(.refused(.inactive), now: start)
        #expect(early == .init(actions: [.answer, .dropUpstream, .finish, .next], answer: .refused(.inactive)))
        var awaiting = awaiting(post)
        #expect(
            awaiting.keyEnded(.refused(.expired), now: start).actions == [.answer, .dropUpstream, .finish, .linger])
        var responding = responding(get)
        #expect(responding.keyEnded(.refused(.inactive), now: start).actions == [.dropUpstream, .finish, .abort])
        var tunnel = tunneling()
        #expect(tunnel.keyEnded(.refused(.inactive), now: start).actions == [.dropUpstream, .finish, .dismiss])
        #expect(tunnel.stage == .lingering)
        var idle = fresh()
        #expect(idle.keyEnded(.refused(.inactive), now: start) == .init())
        #expect(tunnel.keyEnded(.refused(.inactive), now: start) == .init())
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
        #expect(exchange.expire(clientStalls: true, now: start + .seconds(6)).answer == .upstreamTimeout)
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
        #expect(tunnel.tunnelClosed(now: start + .seconds(20)).actions == [.dropUpstream, .finish, .linger])
    }
}
