import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP2
import Testing

@testable import Gateway

/// The CPU time of the most expensive input of a client, on the thread that reads it.
@Suite("HTTP/2 costs") struct HTTP2CostTests {
    /// The most expensive characters for Swift's strings: combining marks of two classes in turn.
    private static let marks = Array(String(repeating: "\u{316}\u{300}", count: 3_000).utf8)
    /// Seconds, above what a busy machine adds to a few hundred microseconds.
    private static let limit = 0.05

    private final class Sink: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        var bytes: [UInt8] = []
        var refusals = 0

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += unwrapInboundIn(data).readableBytesView
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is RefusedRequest { refusals += 1 }
        }
    }

    /// The handlers of a connection and of a stream, without TLS.
    private func channel(_ sink: Sink) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let limits = HTTP2Limits(GatewayConfiguration.Limits())
        let wire = HTTP2Wire(
            limits: limits, headTimeout: .seconds(10), logger: Logger(label: "t") { _ in SwiftLogNoOpLogHandler() })
        let bound = NIOLoopBound((wire, sink), eventLoop: channel.eventLoop)
        let library = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: limits.connection,
            streamConfiguration: limits.stream
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                let (wire, sink) = bound.value
                wire.streamCreated(1)
                try stream.pipeline.syncOperations.addHandlers([HTTP2Translator(stream: 1, wire: wire), sink])
            }
        }
        try channel.pipeline.syncOperations.addHandlers([wire, library])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        try channel.writeInbound(ByteBuffer(bytes: http2Frame(4)))
        return channel
    }

    @Test(
        "a run of combining marks costs no more than other bytes, in every position",
        "a run of combining marks costs no more than other bytes, wherever it stands",
        arguments: [
            "name", ":name", ":method", ":scheme", ":path", ":authority", "te", "content-length", "connection",
            "cookie", "host", "x-a",
        ])
    func combiningMarks(_ place: String) throws {
        var fields = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")]
            .map { name, value in (Array(name.utf8), name == place ? Self.marks : Array(value.utf8)) }
        switch place {
        case "name": fields.append((Array("a".utf8) + Self.marks, [0x31]))
        case ":name": fields.append((Array(":".utf8) + Self.marks, [0x31]))
        case let name where !name.hasPrefix(":"): fields.append((Array(name.utf8), Self.marks))
        default: break
        }
        let sink = Sink()
        let channel = try channel(sink)
        let frame = ByteBuffer(bytes: http2Frame(1, flags: 5, stream: 1, hpackBlock(fields)))
        let began = threadSeconds()
        try channel.writeInbound(frame)
        let cost = threadSeconds() - began
        #expect(cost < Self.limit, "\(cost) s")
        // The section is a request, or a refused one.
        #expect(sink.refusals == (sink.bytes.isEmpty ? 1 : 0))
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    @Test("a response of combining marks costs no more than another")
    func response() throws {
        var translator = ResponseTranslator()
        var writer = HPACKWriter()
        let names = ["location", "etag", "x-a", "set-cookie", "x-b"]
        var head = ByteBuffer(string: "HTTP/1.1 200 OK\r\n")
        for name in names {
            head.writeString("\(name): ")
            head.writeBytes(Self.marks.prefix(6_000))
            head.writeString("\r\n")
        }
        head.writeString("Content-Length: 0\r\n\r\n")
        let began = threadSeconds()
        translator.append(head)
        guard case .head(let section, _, _) = try translator.next(toHead: false) else {
            Issue.record("no head")
            return
        }
        var block = ByteBuffer()
        writer.write(section, to: &block)
        #expect(threadSeconds() - began < Self.limit)
        #expect(block.readableBytes > 30_000)
    }

    @Test("bytes after the end of a connection are dropped")
    func dropped() throws {
        let sink = Sink()
        let channel = try channel(sink)
        let flood = ByteBuffer(bytes: (0..<1_500).flatMap { _ in http2Frame(9, stream: 1) })
        try channel.writeInbound(ByteBuffer(bytes: http2Frame(1, flags: 1, stream: 1, [0x82])))
        for _ in 0..<20 { _ = try? channel.writeInbound(flood) }
        #expect(!channel.isActive)
        var codes: [UInt8] = []
        while let frame = try channel.readOutbound(as: IOData.self) {
            guard case .byteBuffer(let bytes) = frame, let header = HTTP2FrameHeader(peeking: bytes),
                header.kind == .goAway
            else { continue }
            codes.append(bytes.readableBytesView.last ?? 0)
        }
        #expect(codes == [0xB], "one GOAWAY, regardless of further input")
    }
}
