import NIOCore
import NIOHTTP2

/// A handler that closes a client's HTTP/2 connection on shutdown without losing requests.
///
/// It sends GOAWAY with the highest stream identifier (RFC 9113 section 6.8) and a PING. It accepts the streams that
/// the client opens until the PING is acknowledged, and closes the connection once no stream is open. The library's own
/// graceful shutdown refuses such streams and closes the connection under running ones, so this handler sits beneath
/// it.
final class HTTP2GracefulShutdown: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = IOData

    private let inner: NIOHTTP2ServerConnectionManagementHandler.HTTP2StreamDelegate
    private var openStreams = 0
    private var lastStream: HTTP2StreamID = .rootStream
    private var context: ChannelHandlerContext?
    private var stage = Stage.open

    private enum Stage { case open, leaving, heard, gone }

    /// The payload of the PING whose acknowledgement shows that the client has received GOAWAY.
    private static let ping = UInt64(0x6B65_7977_6172_6421)
    /// The time after which GOAWAY counts as received without an acknowledgement.
    private static let timeout = TimeAmount.seconds(1)

    init(streams: NIOHTTP2ServerConnectionManagementHandler.HTTP2StreamDelegate) {
        inner = streams
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
        openStreams += 1
        if id > lastStream { lastStream = id }
        inner.streamCreated(id, channel: channel)
    }

    func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
        openStreams -= 1
        inner.streamClosed(id, channel: channel)
        closeIfDone()
    }

    func heard(_ data: HTTP2PingData) {
        guard stage == .leaving, data == HTTP2PingData(withInteger: Self.ping) else { return }
        stage = .heard
        closeIfDone()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        guard stage == .open else { return }
        stage = .leaving
        var frames = context.channel.allocator.buffer(capacity: 34)
        Self.append(goAwayAfter: .maxID, to: &frames)
        frames.writeMultipleIntegers(UInt16(0), UInt8(8), UInt8(6), UInt8(0), UInt32(0), Self.ping)
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(frames)), promise: nil)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.timeout) { [weak self] in
            guard let self, stage == .leaving else { return }
            stage = .heard
            closeIfDone()
        }
    }

    private func closeIfDone() {
        guard stage == .heard, openStreams == 0, let context else { return }
        stage = .gone
        // The last stream's frames are still on their way through the pipeline.
        context.eventLoop.assumeIsolated().execute { [weak self] in
            guard let self, let context = self.context else { return }
            var frame = context.channel.allocator.buffer(capacity: 17)
            Self.append(goAwayAfter: lastStream, to: &frame)
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
            context.close(promise: nil)
        }
    }

    private static func append(goAwayAfter last: HTTP2StreamID, to buffer: inout ByteBuffer) {
        let noError = UInt32(0)
        buffer.writeMultipleIntegers(
            UInt16(0), UInt8(8), UInt8(7), UInt8(0), UInt32(0), UInt32(Int32(last)), noError)
    }
}

/// A delegate that notifies the connection's handlers of streams. The library calls it on the connection's loop.
struct HTTP2StreamCount: NIOHTTP2StreamDelegate {
    private let gracefulShutdown: NIOLoopBound<HTTP2GracefulShutdown>
    private let wire: NIOLoopBound<HTTP2Wire>

    init(_ gracefulShutdown: HTTP2GracefulShutdown, _ wire: HTTP2Wire, eventLoop: any EventLoop) {
        self.gracefulShutdown = NIOLoopBound(gracefulShutdown, eventLoop: eventLoop)
        self.wire = NIOLoopBound(wire, eventLoop: eventLoop)
    }

    func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {
        gracefulShutdown.value.streamCreated(id, channel: channel)
    }

    func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
        wire.value.streamClosed(UInt32(Int32(id)))
        gracefulShutdown.value.streamClosed(id, channel: channel)
    }
}

/// A handler that closes a connection after a protocol error; pending output is flushed first. An error of one stream
/// only resets that stream.
final class HTTP2Errors: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private let gracefulShutdown: HTTP2GracefulShutdown
    private let wire: HTTP2Wire

    init(_ gracefulShutdown: HTTP2GracefulShutdown, _ wire: HTTP2Wire) {
        self.gracefulShutdown = gracefulShutdown
        self.wire = wire
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .ping(let data, ack: true) = unwrapInboundIn(data).payload { gracefulShutdown.heard(data) }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard wire.wasBroken || !(error is any NIOHTTP2Error) else { return }
        context.flush()
        context.close(promise: nil)
    }
}
