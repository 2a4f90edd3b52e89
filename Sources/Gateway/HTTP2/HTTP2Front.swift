import NIOCore
import NIOHTTP2

/// A client's HTTP/2 connection: every stream of it is a `FrontConnection` of its own behind a translator.
enum HTTP2Front {
    /// How much of a request's body may be under way on a stream that is not read.
    private static let streamWindow = 131_072

    static func add(to channel: any Channel, loop: GatewayLoop) throws {
        let limits = loop.configuration.limits
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.streamsPerConnection),
            // Room for the gateway itself to refuse what is over its limit, with an answer that says so.
            HTTP2Setting(parameter: .maxHeaderListSize, value: limits.headBytes * 2),
            HTTP2Setting(parameter: .initialWindowSize, value: streamWindow),
        ]
        // The connection's own window stays as HTTP/2 begins it: the library would try to widen it after the last stream of a
        // connection that shuts down, and fail.
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = streamWindow
        stream.outboundBufferSizeLowWatermark = 32_768
        stream.outboundBufferSizeHighWatermark = 131_072
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop,
            configuration: .init(
                maxIdleTime: loop.patience.keepAlive, maxAge: nil, maxGraceTime: nil,
                keepalive: .init(pingInterval: loop.patience.keepAlive, ackTimeout: .seconds(20))))
        let bound = NIOLoopBound(loop, eventLoop: channel.eventLoop)
        let peer = channel.remoteAddress
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connection,
            streamConfiguration: stream,
            streamDelegate: manager.http2StreamDelegate
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                try stream.pipeline.syncOperations.addHandlers([
                    HTTP2Translator(), FrontConnection(loop: bound.value, peer: peer, isSecure: true),
                ])
            }
        }
        try channel.pipeline.syncOperations.addHandlers([handler, manager, HTTP2Errors()])
        // The windows bound what comes; the frames that carry them have to be read always.
        try channel.syncOptions?.setOption(.autoRead, value: true)
        loop.willDrain(channel)
    }
}

/// Closes a connection that breaks the protocol, or has said its last; what was written before goes out.
private final class HTTP2Errors: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.flush()
        context.close(promise: nil)
    }
}
