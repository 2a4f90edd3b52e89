import AuthKeys
import HTTPCredentials
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes

/// Responds on the event loop to requests that need no wait: 1.4 times (forward-auth, introspection) to 2.9 times
/// (verify) as many as through the router, measured in one run. This is the hot path of proxies, which ask about each
/// of their requests.
///
/// All other requests pass to the router: those of other routes, those that a route leaves to it, and those that arrive
/// while the router processes an earlier one or the client does not read. So responses keep their order, and unwritten
/// output stays bounded.
final class DirectAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// A request that may be answered here, as far as it has arrived.
    private struct Held {
        let head: HTTPRequest
        let route: any DirectRoute
        let start: ContinuousClock.Instant
        var body = ByteBuffer()
    }

    private let routes: [any DirectRoute]
    private let metrics: RequestMetrics
    private var held: Held?
    /// The number of requests that the router has received and not answered.
    private var due = 0
    private let watch: ConnectionWatch
    private var hasWritten = false
    /// True after a response that announces the end of the connection (RFC 9112 section 9.6).
    private var isClosing = false
    private var hasClosed = false

    init(routes: [any DirectRoute], metrics: RequestMetrics, watch: ConnectionWatch) {
        self.routes = routes
        self.metrics = metrics
        self.watch = watch
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Input after the last response is ignored (RFC 9112 section 9.6).
        if hasClosed { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            if let request = hold(head, context) { held = request } else { pass(data, context) }
        case .body(let part):
            guard var request = held else { return context.fireChannelRead(data) }
            if request.body.readableBytes + part.readableBytes > BodyLimit.bytes {
                release(context)
                return context.fireChannelRead(data)
            }
            held = nil
            request.body.writeImmutableBuffer(part)
            held = request
        case .end:
            guard let request = held else { return context.fireChannelRead(data) }
            let now = Timestamp.now
            let identity = DirectRequest(id: .generate(at: now), began: now)
            if let answer = request.route.answerNow(request.head, body: request.body, as: identity) {
                held = nil
                write(answer, to: request, as: identity, context)
            } else {
                release(context)
                context.fireChannelRead(data)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasWritten {
            hasWritten = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if hasClosed {
            promise?.succeed()
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head): isClosing = isClosing || head.headerFields[.connection]?.lowercased() == "close"
        case .body: break
        case .end:
            due = max(0, due - 1)
            hasClosed = isClosing
        }
        context.write(data, promise: promise)
    }

    /// Passes a held request on before a shutdown closes idle connections, so that its handler sees the request.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { release(context) }
        context.fireUserInboundEventTriggered(event)
    }

    private func hold(_ head: HTTPRequest, _ context: ChannelHandlerContext) -> Held? {
        guard due == 0, !isClosing, context.channel.isWritable, head.method != .head,
            let route = routes.first(where: { $0.takes(head) }), Self.isPlain(head.headerFields),
            route.readsBody || !head.headerFields.announceBody
        else { return nil }
        return Held(head: head, route: route, start: .now)
    }

    /// True if the request has no fields that need handling by the router.
    private static func isPlain(_ headers: HTTPFields) -> Bool {
        headers[.expect] == nil && headers[.upgrade] == nil
            && headers[.connection].map { $0.lowercased() == "keep-alive" } ?? true
    }

    private func pass(_ head: NIOAny, _ context: ChannelHandlerContext) {
        due += 1
        context.fireChannelRead(head)
    }

    /// Passes the held request to the router.
    private func release(_ context: ChannelHandlerContext) {
        guard let request = held else { return }
        held = nil
        pass(wrapInboundOut(.head(request.head)), context)
        if request.body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(request.body))) }
    }

    private func write(
        _ answer: DirectAnswer, to request: Held, as identity: DirectRequest, _ context: ChannelHandlerContext
    ) {
        if request.route.isForAdmins { watch.checkedCredential(isValid: true) }
        var head = HTTPResponse(status: answer.status, headerFields: answer.headers)
        head.headerFields[.contentLength] = String(answer.body.readableBytes)
        head.headerFields[.date] = HTTPDate.now()
        ResponseGuard.complete(&head.headerFields, requestID: identity.id.description, mayBeStored: false)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if answer.body.readableBytes > 0 { context.write(wrapOutboundOut(.body(answer.body)), promise: nil) }
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        hasWritten = true
        metrics.record(
            route: request.route.pattern, method: request.head.method.rawValue, status: answer.status.code,
            since: request.start)
    }
}
