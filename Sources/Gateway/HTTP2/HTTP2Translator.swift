import NIOCore
import NIOHPACK
import NIOHTTP2

/// A handler between an HTTP/2 stream and its `FrontConnection`, so that the same code reads, verifies, limits and
/// forwards requests of both versions.
final class HTTP2Translator: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let stream: UInt32
    private let wire: HTTP2Wire
    private var request = RequestTranslator()
    private var response = ResponseTranslator()
    /// True once the end of the response was sent, past all flow-control windows.
    private var hasSent = false
    /// The promise to succeed when the end of the response was sent.
    private var outputClosed: EventLoopPromise<Void>?

    /// - Parameter wire: writes the field sections of responses.
    init(stream: UInt32, wire: HTTP2Wire) {
        self.stream = stream
        self.wire = wire
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(HeadError) {
            switch unwrapInboundIn(data) {
            case .headers(let headers):
                let section = try CarriedSection.read(headers.headers)
                pass(try request.fields(section, isEnd: headers.endStream), context: context)
            case .data(let data):
                guard case .byteBuffer(let piece) = data.data else { return }
                pass(try request.data(piece, isEnd: data.endStream), context: context)
            default: break
            }
        } catch {
            // The client gets the reason as a response (RFC 9113 section 8.1.1).
            context.fireUserInboundEventTriggered(RefusedRequest(error: error))
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        response.append(unwrapOutboundIn(data))
        do throws(HeadError) {
            while let part = try response.next(toHead: request.isToHead) { write(part, context: context) }
            promise?.succeed(())
        } catch {
            promise?.fail(error)
            reset(.internalError, context: context)
        }
    }

    /// A stream has no half to close: sending the end of the response ends the output. After the whole response, the
    /// client need not send the rest of its request (RFC 9113 section 8.1). It learns this from RST_STREAM when the
    /// stream closes, so that pending output has time to arrive.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            if hasSent, !request.hasEnded { reset(.noError, context: context) }
            return context.close(mode: mode, promise: promise)
        }
        if !response.hasEnded { reset(.internalError, context: context) }
        if hasSent || !response.hasEnded { promise?.succeed(()) } else { outputClosed = promise }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        outputClosed?.succeed(())
        outputClosed = nil
    }

    private func pass(_ bytes: ByteBuffer, context: ChannelHandlerContext) {
        if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
    }

    private func write(_ part: ResponseTranslator.Part, context: ChannelHandlerContext) {
        let payload: HTTP2Frame.FramePayload =
            switch part {
            case .head(let section, let status, let isEnd): headers(section, status: status, isEnd: isEnd)
            case .data(let piece, let isEnd): .data(.init(data: .byteBuffer(piece), endStream: isEnd))
            }
        guard response.hasEnded else { return context.write(wrapOutboundOut(payload), promise: nil) }
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in
            self.hasSent = true
            self.outputClosed?.succeed(())
            self.outputClosed = nil
        }
        context.write(wrapOutboundOut(payload), promise: sent)
    }

    /// The library gets only the status. The wire handler writes the section in its place.
    private func headers(_ section: FieldSection, status: Int?, isEnd: Bool) -> HTTP2Frame.FramePayload {
        wire.willSend(section, on: stream)
        var headers = HPACKHeaders()
        if let status { headers.add(name: ":status", value: String(status), indexing: .nonIndexable) }
        return .headers(.init(headers: headers, endStream: isEnd))
    }

    private func reset(_ code: HTTP2ErrorCode, context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(.rstStream(code)), promise: nil)
    }
}

/// An event that tells a stream's `FrontConnection` to refuse its request, which cannot be written as an HTTP/1.1
/// request.
struct RefusedRequest {
    let error: HeadError
}
