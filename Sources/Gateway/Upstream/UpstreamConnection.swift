import NIOCore

/// One connection to the upstream: carries one exchange at a time, and tells its client connection what comes back.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let pool: UpstreamPool
    /// The account that it serves, as its pool counts it.
    var account: Account?
    /// Called once a tunnel that it carried is closed.
    var onTunnelClosed: (() -> Void)?
    /// Whether it counts as open with its pool: not before its handshake.
    var isOpen = false
    private let outlet = Outlet()
    private var context: ChannelHandlerContext?
    /// Whom it serves; nil while it is idle.
    private var front: FrontConnection?
    private var input = ByteBuffer()
    private var scanner = HeadScanner()
    private var head = ResponseHead()
    /// Nil until the head of the final response came.
    private var body: BodyDecoder?
    private var isToHead = false
    private var mayUpgrade = false
    private var isTunnel = false
    private var isSilent = true
    /// The error that ended the connection.
    private var failure: (any Error)?
    private(set) var isWritable = true

    init(pool: UpstreamPool) {
        self.pool = pool
    }

    // MARK: For the client connection

    /// Begins an exchange with its request head.
    func begin(for front: FrontConnection, head: ByteBuffer, isToHead: Bool, mayUpgrade: Bool) {
        self.front = front
        self.isToHead = isToHead
        self.mayUpgrade = mayUpgrade
        scanner = HeadScanner()
        body = nil
        isSilent = true
        write(head)
        readIfWanted()
    }

    func write(_ piece: ByteBuffer) {
        guard let context else { return }
        outlet.append(piece, to: context)
    }

    func writeChunk(_ piece: ByteBuffer) {
        guard let context else { return }
        outlet.appendChunk(piece, to: context)
    }

    func writeLastChunk(trailers: ByteBuffer) {
        outlet.appendLastChunk(trailers: trailers)
    }

    func flush() {
        guard let context else { return }
        outlet.flush(to: context)
    }

    /// Ends the exchange well: the connection can serve another.
    func release() {
        front = nil
        // More than was asked for: nobody can tell what it belongs to.
        guard input.readableBytes == 0, context != nil else { return close() }
        pool.release(self)
    }

    /// Ends the output of a tunnel; the upstream may go on.
    func endOutput() {
        flush()
        context?.close(mode: .output, promise: nil)
    }

    /// Ends it too, with nobody left to tell: what was written may still go out, for as long.
    func finish(within limit: TimeAmount) {
        front = nil
        guard let context else { return }
        endOutput()
        _ = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.close() }
    }

    /// Closes the connection, whatever it carries.
    func close() {
        front = nil
        if let context { end(context) }
    }

    /// Asks for what comes next, if it can be taken.
    func readIfWanted() {
        guard front?.takesResponse ?? true else { return }
        context?.read()
    }

    // MARK: From the socket

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard front != nil else { return close() }
        isSilent = false
        input.take(unwrapInboundIn(data))
        do throws(HeadError) {
            try process()
        } catch {
            lose(.invalidResponse(error))
        }
        if input.readableBytes == 0 { input = ByteBuffer() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        front?.flush()
        readIfWanted()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        if isTunnel, let front { front.tunnelEnded(.upstream) } else { end(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        front?.upstreamWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = error
        end(context)
    }

    /// Closes the connection; whom it serves is told when it has.
    private func end(_ context: ChannelHandlerContext) {
        if isOpen { pool.closing(self) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        if isTunnel, failure == nil {
            front?.tunnelClosed()
        } else if let body, body.endsWithConnection, failure == nil {
            front?.responseEnd()
        } else {
            lose(failure.map { .error($0) } ?? .closed)
        }
        front = nil
        if isTunnel {
            pool.tunnelClosed()
            onTunnelClosed?()
        } else if isOpen {
            pool.closed(self)
        }
    }

    private func lose(_ cause: UpstreamCause) {
        let front = front
        close()
        front?.upstreamLost(isSilent: isSilent, cause: cause)
    }

    private func process() throws(HeadError) {
        while let front, input.readableBytes > 0 {
            if isTunnel {
                front.tunnelPiece(input)
                input = ByteBuffer()
                return
            }
            guard body != nil else {
                guard try readHead(for: front) else { return }
                continue
            }
            guard try readBody(for: front) else { return }
        }
    }

    /// False when the rest of the head, or the exchange, is not there.
    private func readHead(for front: FrontConnection) throws(HeadError) -> Bool {
        let limits = pool.headLimits
        let end = try input.withHeadBytes { bytes throws(HeadError) in try scanner.end(of: bytes, limits: limits) }
        guard let end, let bytes = input.readSlice(length: end) else { return false }
        try bytes.withHeadBytes { bytes throws(HeadError) in
            try head.read(bytes, toHead: isToHead, mayUpgrade: mayUpgrade, limits: limits)
        }
        pool.works()
        if head.isInterim {
            front.interimHead(head, bytes: bytes)
            return true
        }
        if head.isUpgrade {
            isTunnel = true
            pool.becameTunnel(self)
            front.switched(head, bytes: bytes)
            return true
        }
        let decoder = BodyDecoder(head.framing)
        body = decoder
        front.responseHead(head, bytes: bytes)
        guard self.front === front, decoder.hasEnded else { return self.front === front }
        front.responseEnd()
        return false
    }

    private func readBody(for front: FrontConnection) throws(HeadError) -> Bool {
        guard let step = try body?.next(&input) else { return false }
        switch step {
        case .needsMore: return false
        case .end: break
        case .piece(let piece):
            front.responsePiece(piece)
            guard self.front === front, body?.hasEnded ?? false else { return self.front === front }
        }
        front.responseEnd(trailers: body?.trailers ?? ByteBuffer())
        return false
    }
}
