import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport

/// An HTTP/2 client over TLS that sends any fields and data, stream by stream.
final class HTTP2Client: Sendable {
    let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer
    private let goneAway: Flag

    final class Flag: Sendable {
        let isSet = Atomic<Bool>(false)
    }

    /// True if the server has sent GOAWAY.
    var hasGoneAway: Bool { goneAway.isSet.load(ordering: .relaxed) }

    private init(channel: any Channel, multiplexer: NIOHTTP2Handler.StreamMultiplexer, goneAway: Flag) {
        self.channel = channel
        self.multiplexer = multiplexer
        self.goneAway = goneAway
    }

    static func connect(port: Int) async throws -> HTTP2Client {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates([try TestCertificates.authority.certificate])
        configuration.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: configuration)
        let flag = Flag()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Tests send headers that a correct client would not.
                    var connection = NIOHTTP2Handler.ConnectionConfiguration()
                    connection.headerBlockValidation = .disabled
                    connection.contentLengthValidation = .disabled
                    try channel.pipeline.syncOperations.addHandlers([
                        try NIOSSLClientHandler(context: context, serverHostname: "localhost"),
                        NIOHTTP2Handler(
                            mode: .client, eventLoop: channel.eventLoop, connectionConfiguration: connection,
                            streamConfiguration: .init()
                        ) { $0.eventLoop.makeSucceededVoidFuture() },
                        FrameHandler(flag),
                    ])
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let multiplexer = try await channel.pipeline.handler(type: NIOHTTP2Handler.self).flatMap { $0.multiplexer }
            .get()
        return HTTP2Client(channel: channel, multiplexer: multiplexer, goneAway: flag)
    }

    /// Begins a stream.
    func stream() async throws -> HTTP2ClientStream {
        let inbox = HTTP2Inbox()
        let promise = channel.eventLoop.makePromise(of: (any Channel).self)
        multiplexer.createStreamChannel(promise: promise) { stream in
            stream.eventLoop.makeCompletedFuture { try stream.pipeline.syncOperations.addHandler(StreamHandler(inbox)) }
        }
        return HTTP2ClientStream(channel: try await promise.futureResult.get(), inbox: inbox)
    }

    /// Sends a whole request, and waits for the whole response.
    func exchange(_ headers: [(String, String)], body: String? = nil) async throws -> HTTP2Inbox.Received {
        let stream = try await stream()
        try await stream.send(headers, isEnd: body == nil)
        if let body { try await stream.send(body, isEnd: true) }
        return try await stream.response()
    }

    func close() async {
        try? await channel.close().get()
    }
}

/// A stream of `HTTP2Client`.
struct HTTP2ClientStream {
    let channel: any Channel
    fileprivate let inbox: HTTP2Inbox

    var received: HTTP2Inbox.Received { inbox.state.withLock { $0 } }

    func send(_ headers: [(String, String)], isEnd: Bool) async throws {
        let payload = HTTP2Frame.FramePayload.headers(.init(headers: HPACKHeaders(headers), endStream: isEnd))
        try await channel.writeAndFlush(payload).get()
    }

    func send(_ text: String, isEnd: Bool) async throws {
        let payload = HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(ByteBuffer(string: text)), endStream: isEnd))
        try await channel.writeAndFlush(payload).get()
    }

    /// Waits until the stream has ended or was reset.
    func response() async throws -> HTTP2Inbox.Received {
        try await eventually("the end of a stream") { received.isOver }
        return received
    }
}

/// The data that a stream received.
final class HTTP2Inbox: Sendable {
    struct Received: Sendable {
        var heads: [HPACKHeaders] = []
        var body = ""
        /// The response ended.
        var hasEnded = false
        var isClosed = false
        /// The error code of RST_STREAM.
        var reset: HTTP2ErrorCode?

        var isOver: Bool { isClosed || hasEnded }
        var status: String? { heads.first?.first(name: ":status") }
        subscript(_ name: String) -> [String] { heads.first?[name] ?? [] }
    }

    let state = Mutex(Received())
}

private final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload

    private let inbox: HTTP2Inbox

    init(_ inbox: HTTP2Inbox) {
        self.inbox = inbox
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let payload = unwrapInboundIn(data)
        inbox.state.withLock { state in
            switch payload {
            case .headers(let headers):
                state.heads.append(headers.headers)
                state.hasEnded = headers.endStream
            case .data(let data):
                if case .byteBuffer(let bytes) = data.data { state.body += String(buffer: bytes) }
                state.hasEnded = data.endStream
            default: break
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? NIOHTTP2Errors.StreamClosed { inbox.state.withLock { $0.reset = error.errorCode } }
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.state.withLock { $0.isClosed = true }
    }
}

private final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    private let flag: HTTP2Client.Flag

    init(_ flag: HTTP2Client.Flag) {
        self.flag = flag
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .goAway = unwrapInboundIn(data).payload { flag.isSet.store(true, ordering: .relaxed) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
