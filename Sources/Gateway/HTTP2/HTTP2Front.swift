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
        let lastWords = HTTP2LastWords()
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connection,
            streamConfiguration: stream,
            streamDelegate: manager.http2StreamDelegate
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.syncOptions?.setOption(.autoRead, value: false)
                try stream.pipeline.syncOperations.addHandlers([
                    HTTP2Translator(), FrontConnection(loop: bound.value, peer: peer, isSecure: true, isStream: true),
                ])
            }
        }
        try channel.pipeline.syncOperations.addHandlers([lastWords, handler, manager, HTTP2Errors(lastWords)])
        // The windows bound what comes; the frames that carry them have to be read always.
        try channel.syncOptions?.setOption(.autoRead, value: true)
        loop.carriesStreams(channel)
    }
}

/// Notes that the connection was told to end for an error (GOAWAY with a code, RFC 9113 sections 5.4.1 and 6.8): the library's
/// errors do not say whether they are a stream's or the connection's. Each write of the library is a frame, or the payload of
/// the frame whose header was the write before.
private final class HTTP2LastWords: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private(set) var wereSaid = false
    private var isPayload = false

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isPayload {
            isPayload = false
        } else if case .byteBuffer(let frame) = unwrapOutboundIn(data), frame.readableBytes >= 9 {
            let start = frame.readerIndex
            isPayload =
                frame.readableBytes == 9 && frame.getInteger(at: start, as: UInt32.self).map { $0 >> 8 > 0 } ?? false
            if frame.getInteger(at: start + 3, as: UInt8.self) == 7,
                frame.getInteger(at: start + 13, as: UInt32.self).map({ $0 != 0 }) ?? false
            {
                wereSaid = true
            }
        }
        context.write(data, promise: promise)
    }
}

/// Closes a connection that breaks the protocol; what was written before goes out. An error of one stream has reset that
/// stream, and is none of the others' business.
private final class HTTP2Errors: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private let lastWords: HTTP2LastWords

    init(_ lastWords: HTTP2LastWords) {
        self.lastWords = lastWords
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard lastWords.wereSaid || !(error is any NIOHTTP2Error) else { return }
        context.flush()
        context.close(promise: nil)
    }
}
