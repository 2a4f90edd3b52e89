import AuthKeys
import Listening
import Logging
public import NIOCore
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// An upstream that answers every request with a JSON description of it; used when no upstream is configured.
///
/// `{"method":…,"path":…,"headers":[[name,value],…],"body_bytes":…}`. Listens on loopback only. A body is counted, not
/// stored.
public final class EchoUpstream: Service {
    private struct Bound: Sendable {
        let channel: any Channel
        let group: MultiThreadedEventLoopGroup
    }

    private let bound = Mutex<Bound?>(nil)

    public init() {}

    /// Starts to listen on a free port of 127.0.0.1, and returns the address.
    /// - Parameter limit: the maximum number of open connections; further ones are accepted only after one closes.
    @discardableResult
    public func bind(limit: Int = 1_024) async throws -> SocketAddress {
        guard bound.withLock({ $0 == nil }) else { throw GatewayError.alreadyBound }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            AcceptGuard(limit: limit, listener: "echo", logger: Logger(label: "keyward")))
                    }
                }
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                        try channel.pipeline.syncOperations.addHandler(EchoHandler())
                    }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            guard let address = channel.localAddress else {
                throw GatewayError.cannotListen(host: "127.0.0.1", port: 0, reason: "no address")
            }
            bound.withLock { $0 = Bound(channel: channel, group: group) }
            return address
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Serves until shutdown. Binds first if necessary. Stop it after the gateway, not before.
    public func run() async throws {
        if bound.withLock({ $0 == nil }) { try await bind() }
        guard let bound = bound.withLock({ $0 }) else { return }
        try? await gracefulShutdown()
        try await bound.group.shutdownGracefully()
        self.bound.withLock { $0 = nil }
    }
}

/// A handler that answers the requests of one connection.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var head: HTTPRequestHead?
    private var bodyBytes = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            bodyBytes = 0
            // RFC 9110 section 10.1.1.
            if head.version == .http1_1, head.headers[canonicalForm: "expect"].contains(where: Self.isContinue) {
                context.writeAndFlush(
                    wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
            }
        case .body(let piece):
            bodyBytes += piece.readableBytes
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context: context)
        }
    }

    private static func isContinue(_ expectation: Substring) -> Bool {
        expectation.utf8.count == 12 && expectation.lowercased() == "100-continue"
    }

    private func answer(_ request: HTTPRequestHead, context: ChannelHandlerContext) {
        let headers = request.headers.map { "[\(JSONValue.quoted($0.name)),\(JSONValue.quoted($0.value))]" }
        let body = """
            {"method":\(JSONValue.quoted(request.method.rawValue)),"path":\(JSONValue.quoted(request.uri)),\
            "headers":[\(headers.joined(separator: ","))],"body_bytes":\(bodyBytes)}

            """
        let head = HTTPResponseHead(
            version: request.version, status: .ok,
            headers: ["Content-Type": "application/json", "Content-Length": "\(body.utf8.count)"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if !request.isKeepAlive { context.close(promise: nil) }
    }
}
