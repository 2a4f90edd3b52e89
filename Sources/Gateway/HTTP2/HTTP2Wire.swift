import Logging
import NIOCore
import NIOHTTP2

/// A handler between the socket and the HTTP/2 library, which trusts its peer more than a gateway can.
///
/// Inbound, it parses the field sections itself, as bytes. The library gets sections that contain one opaque value from
/// the client and nothing else of it (`CarriedSection`). The handler counts frames that carry no request, and refuses
/// streams beyond the limit without ending the connection. It drops bytes after the end of the connection, which the
/// library would collect. Outbound, it writes the field sections, byte for byte.
final class HTTP2Wire: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// The time that the client of an ended connection has to read the reason.
    private static let lingerTime = TimeAmount.seconds(1)
    /// The maximum number of unread DATA frames of a connection. The windows limit the payload alone, and each frame
    /// needs some 400 bytes of memory in addition.
    private static let unreadLimit = 8_192
    /// The maximum number of bytes dropped after the end of a connection. The window gives a client no reason to send
    /// more.
    private static let dropLimit = 2 << 20

    /// True once the library has ended the connection for an error (GOAWAY with a code, RFC 9113 sections 5.4.1 and
    /// 6.8). The library's errors do not say if they concern a stream or the connection.
    private(set) var wasBroken = false
    private let logger: Logger
    private let streamLimit: Int
    private var frames: HTTP2FrameReader
    private var requests: HPACKReader
    private var responses = HPACKWriter()
    private var budget = FrameBudget(now: .now())
    private var refused = RefusedStreams()
    /// The sections of responses that the library has not sent yet, by stream.
    private var pending: [UInt32: [FieldSection]] = [:]
    /// The DATA frames that streams have not read, by stream, and their total.
    private var unread: [UInt32: Int] = [:]
    private var unreadCount = 0
    /// The client's highest stream.
    private var lastStream: UInt32 = 0
    /// True once the library has received the acknowledgement of its settings.
    private var wasAcknowledged = false
    /// True while the rest of the current frame is dropped.
    private var dropsRest = false
    private var isEnded = false
    private var dropped = 0
    /// The time in which a field block or frame must be complete after its start.
    private let headTimeout: TimeAmount
    /// The deadline of the incomplete block or frame; nil without one.
    private var deadline: NIODeadline?
    private var timer: Scheduled<Void>?
    /// True if the library's next write is the payload of the frame whose header was its last one.
    private var isPayload = false

    init(limits: HTTP2Limits, headTimeout: TimeAmount, logger: Logger) {
        self.headTimeout = headTimeout
        self.logger = logger
        streamLimit = limits.streams
        frames = HTTP2FrameReader(blockLimit: limits.announcedSection)
        requests = HPACKReader(sectionLimit: limits.section)
    }

    // MARK: Streams

    func streamCreated(_ stream: UInt32) {
        pending[stream] = []
    }

    func streamClosed(_ stream: UInt32) {
        pending[stream] = nil
        unreadCount -= unread.removeValue(forKey: stream) ?? 0
    }

    /// Records that a stream has read a DATA frame.
    func didRead(on stream: UInt32) {
        guard let count = unread[stream], count > 0 else { return }
        unread[stream] = count - 1
        unreadCount -= 1
    }

    /// Stores the section for the next HEADERS frame of a stream.
    func willSend(_ section: FieldSection, on stream: UInt32) {
        pending[stream]?.append(section)
    }

    // MARK: From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard !isEnded else { return drop(bytes, context) }
        frames.append(bytes)
        do throws(HTTP2ConnectionError) {
            while !isEnded, let step = try frames.next() {
                // The frames of one block share its deadline.
                if case .continued = step {} else { deadline = nil }
                try take(step, context)
            }
        } catch {
            end(error, context)
        }
        if isEnded { return frames.clear() }
        frames.discardRead()
        deadline = frames.isIncomplete ? deadline ?? .now() + headTimeout : nil
        if timer == nil { startTimer(context) }
    }

    /// Ends the connection of a client that does not complete a block or frame in time. The timer outlives its first
    /// deadline: a client under load always has an incomplete frame, each time another one.
    private func startTimer(_ context: ChannelHandlerContext) {
        guard let deadline else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [self] in
            timer = nil
            guard !isEnded, let deadline = self.deadline else { return }
            if deadline <= .now() { end(.enhanceYourCalm, context) } else { startTimer(context) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    private func take(_ step: HTTP2FrameReader.Step, _ context: ChannelHandlerContext) throws(HTTP2ConnectionError) {
        switch step {
        case .rest(let bytes):
            if !dropsRest { context.fireChannelRead(wrapInboundOut(bytes)) }
        case .frame(let header, let bytes):
            try count(header)
            if header.kind == .settings { return try takeSettings(header, bytes, context) }
            dropsRest = refused.contains(header.stream)
            if header.kind == .data, !dropsRest { try countData(header, context) }
            guard dropsRest else { return context.fireChannelRead(wrapInboundOut(bytes)) }
            try countRefused()
            if header.kind == .data { giveBack(header.length, context) }
        case .continued(let header):
            try count(header)
        case .section(let header, let block):
            try takeSection(header, block, context)
        }
    }

    private func count(_ header: HTTP2FrameHeader) throws(HTTP2ConnectionError) {
        guard budget.pay(for: header, now: .now()) else { throw .enhanceYourCalm }
    }

    /// Counts a DATA frame. Resets its stream if too many are unread. A DATA frame on a closed stream carries nothing.
    private func countData(
        _ header: HTTP2FrameHeader, _ context: ChannelHandlerContext
    ) throws(HTTP2ConnectionError) {
        guard pending[header.stream] != nil else { return try countRefused() }
        unread[header.stream, default: 0] += 1
        unreadCount += 1
        guard unreadCount > Self.unreadLimit else { return }
        dropsRest = true
        let frame = reset(header.stream, .enhanceYourCalm, context)
        // The library closes the stream as if the client had reset it.
        context.fireChannelRead(wrapInboundOut(frame))
    }

    /// Counts a frame that makes the gateway send a frame, which the client may leave unread.
    private func countRefused() throws(HTTP2ConnectionError) {
        try count(HTTP2FrameHeader(.reset, length: 0))
    }

    private func takeSection(
        _ header: HTTP2FrameHeader, _ block: ByteBuffer, _ context: ChannelHandlerContext
    ) throws(HTTP2ConnectionError) {
        let section = try requests.read(block)
        let isRequest = header.stream > lastStream
        if isRequest {
            lastStream = header.stream
            guard pending.count < streamLimit else {
                try countRefused()
                return refuse(header.stream, context)
            }
            budget.requestBegan()
        }
        guard !refused.contains(header.stream) else { return }
        let carried = CarriedSection.write(section, isTrailers: !isRequest)
        let flags = header.flags.intersection(.endStream)
        context.fireChannelRead(wrapInboundOut(Self.frames(carried, flags: flags, stream: header.stream)))
    }

    /// Passes the client's settings on, and applies those that concern this handler. The library applies its own limits
    /// once they are acknowledged. Until then it uses the defaults, which are narrower for sections and would end the
    /// connection. This handler therefore sends the library an acknowledgement at once, and drops the client's.
    private func takeSettings(
        _ header: HTTP2FrameHeader, _ frame: ByteBuffer, _ context: ChannelHandlerContext
    ) throws(HTTP2ConnectionError) {
        if header.flags.contains(.acknowledgement) {
            // An acknowledgement has no payload (RFC 9113 section 6.5).
            guard header.length == 0 else { throw .frameSizeError }
            return
        }
        var payload = frame
        payload.moveReaderIndex(forwardBy: HTTP2FrameHeader.size)
        while let (name, value) = payload.readMultipleIntegers(as: (UInt16, UInt32).self) {
            if name == HTTP2FrameHeader.tableSizeSetting { responses.limitTable(to: Int(value)) }
        }
        context.fireChannelRead(wrapInboundOut(frame))
        guard !wasAcknowledged else { return }
        wasAcknowledged = true
        var acknowledgement = ByteBuffer()
        HTTP2FrameHeader(.settings, flags: .acknowledgement, length: 0).write(to: &acknowledgement)
        context.fireChannelRead(wrapInboundOut(acknowledgement))
    }

    /// Resets a stream that the gateway has not processed (RFC 9113 section 5.1.2). The client may send the request
    /// again.
    private func refuse(_ stream: UInt32, _ context: ChannelHandlerContext) {
        _ = reset(stream, .refusedStream, context)
    }

    /// Sends RST_STREAM and returns it. Drops what the client still sends on the stream.
    private func reset(_ stream: UInt32, _ code: HTTP2ErrorCode, _ context: ChannelHandlerContext) -> ByteBuffer {
        refused.insert(stream)
        var frame = ByteBuffer()
        HTTP2FrameHeader(.reset, stream: stream, length: 4).write(to: &frame)
        frame.writeInteger(UInt32(code.networkCode))
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
        return frame
    }

    /// Returns to the client the connection window that the body of a refused stream has used.
    private func giveBack(_ length: Int, _ context: ChannelHandlerContext) {
        guard length > 0 else { return }
        var frame = ByteBuffer()
        HTTP2FrameHeader(.windowUpdate, length: 4).write(to: &frame)
        frame.writeInteger(UInt32(length))
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
    }

    // MARK: End of the connection

    /// Ends the connection with GOAWAY (RFC 9113 section 5.4.1).
    private func end(_ error: HTTP2ConnectionError, _ context: ChannelHandlerContext) {
        logger.debug("the HTTP/2 connection was closed for an error of the client", metadata: ["error": "\(error)"])
        isEnded = true
        var frame = ByteBuffer()
        HTTP2FrameHeader(.goAway, length: 8).write(to: &frame)
        frame.writeMultipleIntegers(lastStream, error.rawValue)
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(frame)), promise: nil)
        context.close(promise: nil)
        let channel = context.channel
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) { channel.abort() }
    }

    private func drop(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        dropped += bytes.readableBytes
        if dropped > Self.dropLimit { context.channel.abort() }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .output { isEnded = true }
        context.close(mode: mode, promise: promise)
    }

    // MARK: To the client

    /// Each write of the library is a frame, or the payload of the frame whose header was the previous write.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isPayload, case .byteBuffer(let frame) = unwrapOutboundIn(data),
            let header = HTTP2FrameHeader(peeking: frame)
        else {
            isPayload = false
            return context.write(data, promise: promise)
        }
        isPayload = frame.readableBytes == HTTP2FrameHeader.size && header.length > 0
        switch header.kind {
        case .data: budget.sent(bytes: header.length)
        case .goAway:
            let code = frame.getInteger(at: frame.readerIndex + HTTP2FrameHeader.size + 4, as: UInt32.self)
            wasBroken = wasBroken || code != 0
        case .headers where pending[header.stream]?.isEmpty == false:
            guard let section = pending[header.stream]?.removeFirst() else { break }
            var block = ByteBuffer()
            responses.write(section, to: &block)
            let flags = header.flags.intersection(.endStream)
            let frames = Self.frames(block, flags: flags, stream: header.stream)
            return context.write(wrapOutboundOut(.byteBuffer(frames)), promise: promise)
        default: break
        }
        context.write(data, promise: promise)
    }

    /// Splits a block into a HEADERS frame and CONTINUATION frames.
    private static func frames(
        _ block: ByteBuffer, flags: HTTP2FrameHeader.Flags, stream: UInt32
    ) -> ByteBuffer {
        var block = block
        var out = ByteBuffer()
        out.reserveCapacity(block.readableBytes + HTTP2FrameHeader.size)
        var header = HTTP2FrameHeader(.headers, flags: flags, stream: stream, length: 0)
        repeat {
            header.length = min(block.readableBytes, HTTP2FrameHeader.payloadLimit)
            if header.length == block.readableBytes { header.flags.insert(.endHeaders) }
            header.write(to: &out)
            if let part = block.readSlice(length: header.length) { out.writeImmutableBuffer(part) }
            header.kind = .continuation
            header.flags = []
        } while block.readableBytes > 0
        return out
    }
}

/// The streams that were refused most recently. The client may still send frames of them.
private struct RefusedStreams {
    private static let limit = 2_048

    private var streams: Set<UInt32> = []
    private var order: [UInt32] = []
    private var oldest = 0

    func contains(_ stream: UInt32) -> Bool { !streams.isEmpty && streams.contains(stream) }

    mutating func insert(_ stream: UInt32) {
        streams.insert(stream)
        guard order.count == Self.limit else { return order.append(stream) }
        streams.remove(order[oldest])
        order[oldest] = stream
        oldest = (oldest + 1) % Self.limit
    }
}
