import AuthKeys
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes

/// Answers on the connection's event loop what can be answered without a wait, before it would reach the router and the tasks that
/// run it: a proxy asks about each request of its own.
///
/// Everything else passes: requests of other routes, those that a route leaves to the router, and those that come while the router
/// is not done with the one before or the client does not read, so that answers keep their order and what waits to be written
/// stays bounded.
final class DirectAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// A request that may be answered here, as far as it has come.
    private struct Held {
        let head: HTTPRequest
        let route: any DirectRoute
        let start: ContinuousClock.Instant
        var body = ByteBuffer()
    }

    private let routes: [any DirectRoute]
    private let metrics: RequestMetrics
    private var held: Held?
    /// Requests that the router has been given and has not answered.
    private var due = 0
    private let watch: ConnectionWatch
    private var hasWritten = false
    /// Whether an answer said that it is the last one (RFC 9112 section 9.6).
    private var isClosing = false
    private var hasClosed = false

    init(routes: [any DirectRoute], metrics: RequestMetrics, watch: ConnectionWatch) {
        self.routes = routes
        self.metrics = metrics
        self.watch = watch
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Behind the last answer, nothing is looked at (RFC 9112 section 9.6).
        if hasClosed { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            if let request = hold(head, context) { held = request } else { pass(data, context) }
        case .body(let part):
            guard var request = held else { return context.fireChannelRead(data) }
            if request.body.readableBytes + part.readableBytes > ControlAPI.bodyLimit {
                release(context)
                return context.fireChannelRead(data)
            }
            held = nil
            request.body.writeImmutableBuffer(part)
            held = request
        case .end:
            guard let request = held else { return context.fireChannelRead(data) }
            if let answer = request.route.answerNow(request.head, body: request.body) {
                held = nil
                write(answer, to: request, context)
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

    /// Whoever closes idle connections at shutdown has to know of a request that is on its way.
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

    /// Whether there is nothing to a request but itself.
    private static func isPlain(_ headers: HTTPFields) -> Bool {
        headers[.expect] == nil && headers[.upgrade] == nil
            && headers[.connection].map { $0.lowercased() == "keep-alive" } ?? true
    }

    private func pass(_ head: NIOAny, _ context: ChannelHandlerContext) {
        due += 1
        context.fireChannelRead(head)
    }

    /// Lets the router have what was held.
    private func release(_ context: ChannelHandlerContext) {
        guard let request = held else { return }
        held = nil
        pass(wrapInboundOut(.head(request.head)), context)
        if request.body.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(.body(request.body))) }
    }

    private func write(_ answer: DirectAnswer, to request: Held, _ context: ChannelHandlerContext) {
        if request.route.isForAdmins { watch.checkedCredential(isValid: true) }
        var head = HTTPResponse(status: answer.status, headerFields: answer.headers)
        head.headerFields[.contentLength] = String(answer.body.readableBytes)
        head.headerFields[.cacheControl] = "no-store"
        head.headerFields[.date] = HTTPDate.now()
        head.headerFields[.requestID] = ControlContext.newRequestID()
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if answer.body.readableBytes > 0 { context.write(wrapOutboundOut(.body(answer.body)), promise: nil) }
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
        hasWritten = true
        metrics.record(
            route: request.route.pattern, method: request.head.method.rawValue, status: answer.status.code,
            since: request.start)
    }
}
