import NIOCore

/// A connection to the upstream. It carries one exchange at a time, and passes the response to the client's connection.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    let pool: UpstreamPool
    /// The account that it serves, as its pool counts it.
    var account: Account?
    /// Called after a tunnel that it carried has closed.
    var onTunnelClosed: (() -> Void)?
    /// True while the pool counts it as open, which begins after the TLS handshake.
    var isOpen = false
    /// True once the socket has closed.
    private(set) var hasClosed = false
    private let outlet = Outlet()
    private var context: ChannelHandlerContext?
    /// The client's side of the exchange that it carries; nil while it is idle.
    private var downstream: (any Downstream)?
    private var input = ByteBuffer()
    private var scanner = HeadScanner()
    private var head = ResponseHead()
    /// Nil until the head of the final response has arrived.
    private var body: BodyDecoder?
    private var isToHead = false
    private var mayUpgrade = false
    private var isTunnel = false
    private var isSilent = true
    /// The error that ended the connection.
    private(set) var failure: (any Error)?
    private(set) var isWritable = true

    init(pool: UpstreamPool) {
        self.pool = pool
    }

    // MARK: For the client's side

    /// Begins an exchange with its request head.
    func begin(for downstream: any Downstream, head: ByteBuffer, isToHead: Bool, mayUpgrade: Bool) {
        self.downstream = downstream
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

    /// Ends a complete exchange, so that the connection can serve another.
    func release() {
        downstream = nil
        // The surplus bytes belong to no request.
        guard input.readableBytes == 0, context != nil else { return close() }
        pool.release(self)
    }

    /// Ends the output of a tunnel; the upstream may continue.
    func endOutput() {
        flush()
        context?.close(mode: .output, promise: nil)
    }

    /// Ends the output of a tunnel whose client is gone. Pending output may still be sent until `limit` has passed.
    func finish(within limit: TimeAmount) {
        downstream = nil
        guard let context else { return }
        endOutput()
        _ = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { self.close() }
    }

    /// Closes the connection, even during an exchange.
    func close() {
        downstream = nil
        if let context { end(context) }
    }

    /// Requests a read if the client can accept more.
    func readIfWanted() {
        guard downstream?.takesResponse ?? true else { return }
        context?.read()
    }

    // MARK: From the socket

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        closed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard downstream != nil else { return close() }
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
        downstream?.flush()
        readIfWanted()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return context.fireUserInboundEventTriggered(event) }
        if isTunnel, let downstream { downstream.tunnelEnded(.upstream) } else { end(context) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        downstream?.upstreamWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = error
        end(context)
    }

    /// Closes the connection. The client's connection is notified once it has closed.
    private func end(_ context: ChannelHandlerContext) {
        if isOpen { pool.closing(self) }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        closed()
    }

    /// Reports the end of the connection to the client's connection and to the pool, once. A channel that closes before
    /// it became active fires no `channelInactive`; its handlers are only removed.
    private func closed() {
        context = nil
        if hasClosed { return }
        hasClosed = true
        if isTunnel, failure == nil {
            downstream?.tunnelClosed()
        } else if let body, body.endsWithConnection, failure == nil {
            downstream?.responseEnd(trailers: ByteBuffer())
        } else {
            lose(failure.map { .error($0) } ?? .closed)
        }
        downstream = nil
        if isTunnel {
            pool.tunnelClosed()
            onTunnelClosed?()
        } else if isOpen {
            pool.closed(self)
        }
    }

    private func lose(_ cause: UpstreamCause) {
        let downstream = downstream
        close()
        downstream?.upstreamLost(isSilent: isSilent, cause: cause)
    }

    private func process() throws(HeadError) {
        while let downstream, input.readableBytes > 0 {
            if isTunnel {
                downstream.tunnelPiece(input)
                input = ByteBuffer()
                return
            }
            guard body != nil else {
                guard try readHead(for: downstream) else { return }
                continue
            }
            guard try readBody(for: downstream) else { return }
        }
    }

    /// Reads the head of a response. Returns false if it is incomplete, or if the exchange is over.
    private func readHead(for downstream: any Downstream) throws(HeadError) -> Bool {
        let limits = pool.headLimits
        let end = try input.withHeadBytes { bytes throws(HeadError) in try scanner.end(of: bytes, limits: limits) }
        guard let end, let bytes = input.readSlice(length: end) else { return false }
        try bytes.withHeadBytes { bytes throws(HeadError) in
            try head.read(bytes, toHead: isToHead, mayUpgrade: mayUpgrade, limits: limits)
        }
        pool.works()
        if head.isInterim {
            downstream.interimHead(head, bytes: bytes)
            return true
        }
        if head.isUpgrade {
            isTunnel = true
            pool.becameTunnel(self)
            downstream.switched(head, bytes: bytes)
            return true
        }
        let decoder = BodyDecoder(head.framing)
        body = decoder
        downstream.responseHead(head, bytes: bytes)
        guard self.downstream === downstream else { return false }
        guard decoder.hasEnded else { return true }
        downstream.responseEnd(trailers: ByteBuffer())
        return false
    }

    private func readBody(for downstream: any Downstream) throws(HeadError) -> Bool {
        guard let step = try body?.next(&input) else { return false }
        switch step {
        case .needsMore: return false
        case .end: break
        case .piece(let piece):
            downstream.responsePiece(piece)
            guard self.downstream === downstream else { return false }
            guard body?.hasEnded ?? false else { return true }
        }
        downstream.responseEnd(trailers: body?.trailers ?? ByteBuffer())
        return false
    }
}
