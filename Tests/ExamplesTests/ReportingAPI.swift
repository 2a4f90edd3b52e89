import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// An API behind a proxy. Its responses report the received request, and it echoes the bytes of a WebSocket.
struct ReportingAPI {
    let port: Int
    private let channel: any Channel

    /// A received request.
    struct Report: Codable {
        var method: String
        var path: String
        var fields: [[String]]
        var bodyBytes: Int

        /// Decodes a report from the body of a response; nil if the response is not from the API.
        init?(_ text: String) {
            guard let report = try? JSONDecoder().decode(Report.self, from: Data(text.utf8)) else { return nil }
            self = report
        }

        fileprivate init(_ head: HTTPRequestHead, bodyBytes: Int) {
            method = head.method.rawValue
            path = head.uri
            fields = head.headers.map { [$0.name, $0.value] }
            self.bodyBytes = bodyBytes
        }

        /// Returns the values of all fields whose names read like this one, such as `X_Keyward_Owner` for
        /// `x-keyward-owner`.
        func values(like name: String) -> [String] {
            fields.filter { String($0[0].lowercased().map { $0.isLetter || $0.isNumber ? $0 : "-" }) == name }
                .map { $0[1] }
        }
    }

    static func start() async throws -> ReportingAPI {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withServerUpgrade: (
                            upgraders: [EchoUpgrader()],
                            completionHandler: { context in
                                context.pipeline.syncOperations.removeHandler(name: "report", promise: nil)
                            }
                        ))
                    try channel.pipeline.syncOperations.addHandler(ReportHandler(), name: "report")
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return ReportingAPI(port: channel.localAddress?.port ?? 0, channel: channel)
    }

    func stop() async throws {
        try await channel.close().get()
    }
}

private final class ReportHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var head: HTTPRequestHead?
    private var bodyBytes = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, bodyBytes) = (head, 0)
        case .body(let chunk): bodyBytes += chunk.readableBytes
        case .end:
            guard let head, let body = try? JSONEncoder().encode(ReportingAPI.Report(head, bodyBytes: bodyBytes))
            else { return context.close(promise: nil) }
            // Only the first request of a connection can become a WebSocket, so each connection serves one request.
            let headers: HTTPHeaders = [
                "Content-Type": "application/json", "Content-Length": "\(body.count)", "Connection": "close",
            ]
            let answer = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(answer)), promise: nil)
            if head.method != .HEAD {
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
            }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            context.close(promise: nil)
        }
    }
}

/// An upgrader to a WebSocket whose response reports the key id of the request.
private final class EchoUpgrader: HTTPServerProtocolUpgrader, Sendable {
    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        var headers = initialResponseHeaders
        headers.add(name: "Sec-WebSocket-Accept", value: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        for value in upgradeRequest.headers["X-Keyward-Key-Id"] { headers.add(name: "X-Seen", value: value) }
        return channel.eventLoop.makeSucceededFuture(headers)
    }

    func upgrade(context: ChannelHandlerContext, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<Void> {
        context.eventLoop.makeCompletedFuture { try context.pipeline.syncOperations.addHandler(EchoHandler()) }
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }
}
