import AuthKeys
import Metrics
import NIOCore
import RequestLog

/// A client's connection: reads requests one at a time, obtains a decision on each, forwards it to the upstream, and
/// returns the response.
///
/// The shell around `Exchange`: it parses, moves bytes and carries out actions. It runs on one event loop and never
/// blocks.
final class FrontConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let loop: GatewayLoop
    let outlet = Outlet()
    var exchange: Exchange
    var context: ChannelHandlerContext?
    /// The index of this connection in `GatewayLoop.connections`.
    var index = 0
    var upstream: UpstreamConnection?

    var input = ByteBuffer()
    var scanner = HeadScanner()
    var head = RequestHead()
    /// The head of the current request, kept as long as it may be evaluated again.
    var headBytes = ByteBuffer()
    var requestBody = BodyDecoder(.none)
    /// The head as written for the upstream. Each attempt writes it anew from `headBytes`.
    var upstreamHead = ByteBuffer()
    var identity = ByteBuffer()
    var holder = KeyHolder()
    /// The limits of the request's key, for its response.
    var limits = LimitBuffer()
    /// Describes the client to the upstream.
    let forwarded: Forwarded
    /// The position of a tunnel's output within its WebSocket frames.
    var frames = WebSocketFrames()
    /// The reason that the client of a WebSocket gets if the gateway closes it. Only a key that became invalid, or an
    /// eviction, leads to that.
    var closeReason = WebSocketFrames.CloseReason.keyRevoked
    var delimiter = ResponseRewriter.Delimiter.itself
    var record = RequestRecord()
    /// Reads the cost of the current request from the body of its response; nil if nothing is to be read.
    var usage: UsageScanner?
    private(set) var isWritable = true
    private var isProcessing = false
    var skippedLine = false

    private let isRefused: Bool
    private let isSecure: Bool
    /// True for a stream of an HTTP/2 connection.
    private let isStream: Bool
    /// The flags that all requests of the connection have in the log.
    var connectionFlags: RequestFlags { isStream ? [.http2, .tls] : isSecure ? .tls : [] }

    /// - Parameters:
    ///   - peer: the client's address.
    ///   - isRefused: true if there are too many connections; the client then only gets a 503.
    init(
        loop: GatewayLoop, peer: SocketAddress?, isSecure: Bool = false, isRefused: Bool = false, isStream: Bool = false
    ) {
        self.loop = loop
        self.isStream = isStream
        self.isSecure = isSecure
        self.isRefused = isRefused
        forwarded = Forwarded(peer: peer, isSecure: isSecure, trusting: loop.configuration.trustedProxies)
        exchange = Exchange(timeouts: loop.timeouts, now: .now())
    }

    // MARK: From the socket

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        guard loop.add(self, isStream: isStream) else { return context.close(promise: nil) }
        if context.channel.isActive { open(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelActive(context: ChannelHandlerContext) {
        open(context)
    }

    private func open(_ context: ChannelHandlerContext) {
        guard isRefused else { return context.read() }
        fail(.overloaded, now: .now())
        flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        input.take(unwrapInboundIn(data))
        process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        readIfWanted()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let refused = event as? RefusedRequest { return refuse(refused.error) }
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        if exchange.stage == .tunneling { tunnelEnded(.client) } else { context.close(promise: nil) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        guard isWritable else { return }
        exchange.progressed(now: .now())
        upstream?.readIfWanted()
        readIfWanted()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
    }

    private func end() {
        guard context != nil else { return }
        context = nil
        if exchange.clientClosed() {
            record.status = 499
            record.end(.terminated, "client_closed")
            endExchange()
        }
        upstream?.close()
        upstream = nil
        loop.remove(self)
    }

    // MARK: Reading

    /// Processes the bytes that were read, as far as the exchange permits, then flushes the output.
    func process() {
        guard !isProcessing else { return }
        isProcessing = true
        while input.readableBytes > 0, advance() {}
        isProcessing = false
        if input.readableBytes == 0 { input = ByteBuffer() }
        upstream?.flush()
        flush()
    }

    private func advance() -> Bool {
        switch exchange.stage {
        case .idle: return skipEmptyLine() && readHead()
        case .awaiting, .responding: return exchange.awaitsBody && readBody()
        case .tunneling: return readTunnel()
        case .serving: return readOwnBody()
        case .resolving, .connecting: return false
        case .lingering, .over:
            input = ByteBuffer()
            return false
        }
    }

    /// RFC 9112 section 2.2 lets a server skip an empty line before a request; one is enough.
    private func skipEmptyLine() -> Bool {
        let view = input.readableBytesView
        guard !skippedLine, view.first == ByteClass.carriageReturn else { return true }
        guard view.count > 1 else { return false }
        if view[view.startIndex + 1] == ByteClass.lineFeed {
            input.moveReaderIndex(forwardBy: 2)
            skippedLine = true
        }
        return input.readableBytes > 0
    }

    /// Requests a read if the bytes can be passed on. A read stays pending while the previous input is processed, so
    /// that the socket is not registered again for each request. At most the bytes of one read are buffered here.
    func readIfWanted() {
        let isWanted =
            switch exchange.stage {
            case .idle: isWritable
            case .awaiting where exchange.awaitsBody, .responding where exchange.awaitsBody:
                upstream?.isWritable ?? false
            case .tunneling: upstream?.isWritable ?? false
            case .serving where exchange.awaitsOwnBody && record.own?.readsBody == true: true
            case .awaiting, .serving, .responding, .resolving, .connecting: input.readableBytes == 0
            case .lingering: true
            case .over: false
            }
        if isWanted { context?.read() }
    }

    // MARK: Writing

    func flush() {
        guard let context else { return }
        outlet.flush(to: context)
    }

    // MARK: For the loop

    func isDue(_ now: NIODeadline) -> Bool { now >= exchange.deadline }

    func expire(now: NIODeadline) {
        let clientStalls = exchange.stage == .responding ? !isWritable : upstream?.isWritable ?? true
        let cause: UpstreamCause =
            switch exchange.stage {
            case .connecting: .notConnected
            case .awaiting: .noResponse
            default: .stalled
            }
        let isTunnel = exchange.stage == .tunneling
        let isHeldBack = exchange.stage == .connecting && record.group?.holdsBack(upstreamRequest) ?? false
        switch exchange.expire(clientStalls: clientStalls, isHeldBack: isHeldBack, now: now) {
        case .close: context?.close(promise: nil)
        case .reply(let reply):
            if reply.answer == .tooManyConcurrent { loop.metrics.shareRefusals.increment() }
            if reply.answer == .upstreamTimeout { loop.noteFailure(.timeout, cause, of: record) }
            send(reply)
        case .abort:
            if !clientStalls { loop.noteFailure(.timeout, cause, of: record) }
            if clientStalls || isTunnel {
                record.end(.terminated, "idle_timeout")
            } else {
                record.end(.failed, Answer.upstreamTimeout.row.error.code)
            }
            abort()
        case nil: break
        }
        flush()
    }

    /// True if the key of the exchange may no longer be valid: the index has changes, or the key's expiry time has
    /// passed.
    func isDoubtful(hasChanges: Bool, now: Timestamp) -> Bool {
        record.isCounted && (hasChanges || record.expiresAt.map { $0 <= now } ?? false)
    }

    /// Ends the exchange if its key is no longer valid.
    func recheckKey(now: Timestamp) {
        guard let digest = record.digest, exchange.stage != .resolving else { return }
        let status = headBytes.withUnsafeReadableBytes { bytes in
            loop.gate.recheck(digest, head, bytes: bytes, from: forwarded, at: now)
        }
        switch status {
        case .valid(let expiresAt): record.expiresAt = expiresAt
        case .refused(let refusal): endKey(.refused(refusal))
        }
    }

    /// Ends the exchange because keys can no longer be verified.
    func endUnverified() {
        if record.isCounted, record.digest != nil, exchange.stage != .resolving { endKey(.verificationUnavailable) }
    }

    private func endKey(_ answer: Answer) {
        loop.metrics.cut(exchange.stage)
        record.end(.terminated, answer.row.error.code)
        cut(exchange.keyEnded(answer, now: .now()))
    }

    func drain() {
        if exchange.drain() { context?.close(promise: nil) }
    }
}
