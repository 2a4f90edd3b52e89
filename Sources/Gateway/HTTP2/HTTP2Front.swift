import NIOCore
import NIOHTTP2

/// A client's HTTP/2 connection. Each of its streams is a `FrontConnection` behind a translator.
enum HTTP2Front {
    static func add(to channel: any Channel, loop: GatewayLoop) throws {
        let eventLoop = channel.eventLoop
        let limits = HTTP2Limits(loop.configuration.limits)
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: eventLoop,
            configuration: .init(
                maxIdleTime: loop.timeouts.keepAlive, maxAge: nil, maxGraceTime: nil,
                keepalive: .init(pingInterval: loop.timeouts.keepAlive, ackTimeout: .seconds(20))))
        let bound = NIOLoopBound(loop, eventLoop: eventLoop)
        let peer = channel.remoteAddress
        let wire = HTTP2Wire(limits: limits, headTimeout: loop.timeouts.requestHead, logger: loop.logger)
        let gracefulShutdown = HTTP2GracefulShutdown(streams: manager.http2StreamDelegate)
        let boundWire = NIOLoopBound(wire, eventLoop: eventLoop)
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: eventLoop, connectionConfiguration: limits.connection,
            streamConfiguration: limits.stream,
            streamDelegate: HTTP2StreamCount(gracefulShutdown, wire, eventLoop: eventLoop)
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                let number = try stream.syncOptions?.getOption(HTTP2StreamChannelOptions.streamID) ?? .rootStream
                boundWire.value.streamCreated(UInt32(Int32(number)))
                try stream.pipeline.syncOperations.addHandlers([
                    HTTP2Translator(stream: UInt32(Int32(number)), wire: boundWire.value),
                    FrontConnection(loop: bound.value, peer: peer, isSecure: true, isStream: true),
                ])
            }
        }
        try channel.pipeline.syncOperations.addHandlers([
            wire, gracefulShutdown, handler, manager, HTTP2Errors(gracefulShutdown, wire),
        ])
        // Flow-control windows limit the input; the frames that update them must always be read.
        try channel.syncOptions?.setOption(.autoRead, value: true)
        loop.carriesStreams(channel)
    }
}
