import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport

/// One request on a new connection, with its target and fields sent unchanged.
enum Exchange {
    typealias Answer = KeywardProcess.Answer

    /// Sends a request, and returns the response.
    /// - Parameter source: the client's address.
    static func send(
        _ method: HTTPMethod, _ target: String, _ headers: [(String, String)] = [], body: String = "",
        to port: Int, from source: String = "127.0.0.1"
    ) async throws -> Answer {
        let channel = try await connect(to: port, from: source) { pipeline in
            try pipeline.addHTTPClientHandlers(enableOutboundHeaderValidation: false)
            try pipeline.addHandler(NIOHTTPClientResponseAggregator(maxContentLength: 1 << 20))
        }
        let answer = channel.eventLoop.makePromise(of: Answer.self)
        try await channel.pipeline.addHandler(AnswerHandler(answer)).get()
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: target)
        head.headers = HTTPHeaders([("Host", "api.test")] + headers)
        if !headers.contains(where: { $0.0 == "Connection" }) { head.headers.add(name: "Connection", value: "close") }
        if !body.isEmpty { head.headers.add(name: "Content-Length", value: "\(body.utf8.count)") }
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if !body.isEmpty {
            channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(string: body))), promise: nil)
        }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        let late = channel.eventLoop.scheduleTask(in: .seconds(40)) { channel.close(promise: nil) }
        defer {
            late.cancel()
            channel.close(promise: nil)
        }
        return try await answer.futureResult.get()
    }

    /// Sends the request for a WebSocket, and returns all received bytes as text.
    static func upgrade(_ target: String, _ headers: [(String, String)], to port: Int) async throws -> String {
        let channel = try await connect(to: port, from: "127.0.0.1") { _ in }
        let wrapped = try await channel.eventLoop.submit {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }.get()
        let late = channel.eventLoop.scheduleTask(in: .seconds(10)) { channel.close(promise: nil) }
        defer { late.cancel() }
        let fields = headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        return try await wrapped.executeThenClose { inbound, outbound in
            try await outbound.write(
                ByteBuffer(
                    string: """
                        GET \(target) HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(fields)\r\n
                        """))
            var text = ""
            var hasSpoken = false
            for try await piece in inbound {
                text += String(buffer: piece)
                if text.hasSuffix("hello there") { break }
                if !hasSpoken, text.hasPrefix("HTTP/1.1 101"), text.contains("\r\n\r\n") {
                    hasSpoken = true
                    try await outbound.write(ByteBuffer(string: "hello there"))
                }
            }
            return text
        }
    }

    private static func connect(
        to port: Int, from source: String,
        configure: @escaping @Sendable (ChannelPipeline.SynchronousOperations) throws -> Void
    ) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try configure(channel.pipeline.syncOperations) }
            }
            .bind(to: SocketAddress(ipAddress: source, port: 0))
            .connect(host: "127.0.0.1", port: port).get()
    }

    private final class AnswerHandler: ChannelInboundHandler, Sendable {
        typealias InboundIn = NIOHTTPClientResponseFull

        private let answer: EventLoopPromise<Answer>

        init(_ answer: EventLoopPromise<Answer>) {
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let response = unwrapInboundIn(data)
            answer.succeed(
                Answer(
                    status: Int(response.head.status.code), headers: response.head.headers,
                    text: response.body.map { String(buffer: $0) } ?? ""))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            answer.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            answer.fail(ChannelError.eof)
        }
    }
}
