import NIOCore
import NIOHTTP2

/// A client's HTTP/2 connection: every stream of it is a `FrontConnection` of its own behind a translator.
enum HTTP2Front {
    /// How much of a request's body may be under way on a stream that is not read.
    private static let streamWindow = 131_072
    private static let connectionWindow = 1 << 20

    static func add(to channel: any Channel, loop: GatewayLoop) throws {
        let limits = loop.configuration.limits
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: limits.streamsPerConnection),
            // Room for the gateway itself to refuse what is over its limit, with an answer that says so.
            HTTP2Setting(parameter: .maxHeaderListSize, value: limits.headBytes * 2),
            HTTP2Setting(parameter: .initialWindowSize, value: streamWindow),
        ]
        connection.targetWindowSize = connectionWindow
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
        let farewell = HTTP2Farewell(streams: manager.http2StreamDelegate)
        let streams = HTTP2StreamCount(farewell, eventLoop: channel.eventLoop)
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connection,
            streamConfiguration: stream,
            streamDelegate: streams
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                try stream.pipeline.syncOperations.addHandlers([
                    HTTP2Translator(), FrontConnection(loop: bound.value, peer: peer, isSecure: true, isStream: true),
                ])
            }
        }
        try channel.pipeline.syncOperations.addHandlers([farewell, handler, manager, HTTP2Errors(farewell)])
        // The windows bound what comes; the frames that carry them have to be read always.
        try channel.syncOptions?.setOption(.autoRead, value: true)
        loop.carriesStreams(channel)
    }
}
