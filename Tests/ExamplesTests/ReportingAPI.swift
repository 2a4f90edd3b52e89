import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// An API behind a proxy: answers with what it received, and echoes the bytes of a WebSocket.
struct ReportingAPI {
    let port: Int
    private let channel: any Channel

    /// What it received.
    struct Report: Codable {
        var method: String
        var path: String
        var fields: [[String]]
        var bodyBytes: Int

        /// Nil if the answer is not the API's.
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

        /// The values of all fields whose names read like this one: `X_Keyward_Owner` like `x-keyward-owner`.
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
        case .body(let piece): bodyBytes += piece.readableBytes
        case .end:
            guard let head, let body = try? JSONEncoder().encode(ReportingAPI.Report(head, bodyBytes: bodyBytes))
            else { return context.close(promise: nil) }
            // Only a connection's first request can become a WebSocket here.
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

/// Says in its answer whom the request was told to be from.
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
