import AuthKeys
import NIOCore
import TestSupport
import Testing

@testable import Gateway

/// Hostile and unusual clients over HTTP/2, byte by byte.
@Suite("HTTP/2 wire") struct HTTP2WireTests {
    private static let refusedStream: UInt32 = 0x7
    private static let streamClosed: UInt32 = 0x5
    private static let enhanceYourCalm: UInt32 = 0xB

    private func withClient(
        before upstream: RawUpstream, options: HarnessOptions = HarnessOptions(),
        _ body: (GatewayHarness, RawHTTP2) async throws -> Void
    ) async throws {
        let files = try TLSTests.Files()
        try await withGateway(before: upstream, options: options.with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await RawHTTP2.connect(port: gateway.port)
            try await body(gateway, client)
            await client.close()
        }
    }

    /// A HEADERS frame of a request with a valid key.
    private func headers(
        _ gateway: GatewayHarness, stream: UInt32, method: String = "GET", path: [UInt8] = Array("/".utf8),
        authority: String = "api.test", _ more: [(String, [UInt8])] = [], isEnd: Bool = true
    ) -> [UInt8] {
        let fields: [(String, [UInt8])] = [
            (":method", Array(method.utf8)), (":scheme", Array("https".utf8)), (":authority", Array(authority.utf8)),
            (":path", path), ("x-api-key", Array(gateway.token.value.utf8)),
        ]
        let block = hpackBlock((fields + more).map { (Array($0.utf8), $1) })
        return http2Frame(1, flags: isEnd ? 5 : 4, stream: stream, block)
    }

    @Test("values that are not UTF-8 are forwarded unchanged in both directions")
    func obsText() async throws {
        let upstream = try await RawUpstream { _ in
            .sendBytes("HTTP/1.1 200 OK\r\nX-Name: caf\u{E9} \u{80}\u{FF}\r\nContent-Length: 2\r\n\r\nok".latin1)
        }
        try await withClient(before: upstream) { gateway, client async throws in
            try await client.send(
                headers(gateway, stream: 1, [("x-name", [0x63, 0xE9, 0x80, 0xFF]), ("x-utf8", Array("é".utf8))]))
            let response = try await client.response(1)
            #expect(response.fields.contains("x-name: caf\u{E9} \u{80}\u{FF}"))
            #expect(response.body == "ok")
            let seen = String(latin1: try #require(upstream.requests.first).bytes)
            #expect(seen.contains("x-name: c\u{E9}\u{80}\u{FF}\r\nx-utf8: \u{C3}\u{A9}\r\n"))
        }
    }

    @Test("trailers that are not UTF-8 are forwarded unchanged")
    func trailers() async throws {
        let upstream = try await RawUpstream { _ in
            .sendBytes(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: \u{E9}\r\n\r\n".latin1)
        }
        try await withClient(before: upstream) { gateway, client async throws in
            try await client.send(headers(gateway, stream: 1, [("te", Array("trailers".utf8))]))
            #expect(try await client.response(1).fields.last == "x-sum: \u{E9}")
        }
    }

    @Test("a raw byte in a path gets a 400 that names it, and the connection persists")
    func rawTarget() async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            try await client.send(headers(gateway, stream: 1, path: Array("/caf\u{E9}".utf8)))
            let response = try await client.response(1)
            #expect(response.fields.first == ":status: 400")
            #expect(
                response.body.contains("the request target has the byte 0xC3 at offset 4: percent-encode it as %C3"))
            try await client.send(headers(gateway, stream: 3))
            #expect(try await client.response(3).body == "ok")
            #expect(upstream.requests.count == 1)
        }
    }

    @Test(
        "an invalid authority gets 400",
        arguments: ["a b", "a:b", "a@b", "[::1", "a:99999", "a,b", "a/b", "é"])
    func authority(_ authority: String) async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            try await client.send(headers(gateway, stream: 1, authority: authority))
            #expect(try await client.response(1).fields.first == ":status: 400")
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("a stream with too many unread DATA frames is reset, and the others continue")
    func unreadFrames() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { _ in .nothing }
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 1)
            .with(\.timeouts.connect, .seconds(60))
        try await withClient(before: upstream, options: options) { gateway, client async throws in
            try await client.send(headers(gateway, stream: 1))
            try await eventually("the first request") { upstream.requests.count == 1 }
            // The second request waits for the only connection, and its body is not read.
            try await client.send(headers(gateway, stream: 3, method: "POST", isEnd: false))
            let frames = Array(repeating: http2Frame(0, stream: 3, [1]), count: 100).flatMap(\.self)
            // The gateway reads the first of them into the buffer of the exchange. Frames after the reset would use up
            // the budget of the connection.
            for round in 1...1_000 where try client.responses()[3]?.reset == nil {
                try await client.send(frames, http2Frame(6, [1, 2, 3, 4, 5, 6, 7, 8]))
                try await eventually("the acknowledgement of the ping") {
                    client.frames.filter { $0.header.kind == .ping }.count == round
                }
            }
            #expect(try await client.response(3).reset == Self.enhanceYourCalm)
            let first = try #require(upstream.connections.first)
            try await first.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(try await client.response(1).body == "ok")
            #expect(client.goAway == nil)
        }
    }

    @Test("streams beyond the limit are refused, and the others continue")
    func refusedStreams() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { _ in .nothing }
        let options = HarnessOptions.with(\.limits.streamsPerConnection, 10)
        try await withClient(before: upstream, options: options) { gateway, client async throws in
            for number in 0..<10 {
                try await client.send(headers(gateway, stream: UInt32(number * 2 + 1), method: "POST", isEnd: false))
            }
            try await eventually("the requests") { upstream.requests.count == 10 }
            for stream: UInt32 in [21, 23] {
                try await client.send(headers(gateway, stream: stream, method: "POST", isEnd: false))
                // Frames that the client may have sent before it received the refusal.
                try await client.send(
                    http2Frame(8, stream: stream, [0, 0, 0, 9]), http2Frame(0, stream: stream, [1, 2, 3]),
                    http2Frame(1, flags: 5, stream: stream, hpackBlock([(Array("x-sum".utf8), [0x31])])))
                #expect(try await client.response(stream).reset == Self.refusedStream)
            }
            #expect(client.goAway == nil)
            // The gateway returns the window that the body has used.
            try await eventually("the window") {
                client.frames.contains { $0.header.kind == .windowUpdate && $0.payload == [0, 0, 0, 3] }
            }
            let upload = try #require(upstream.connections.first)
            try await upload.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            try await eventually("the end of its stream") {
                try client.responses().values.contains { $0.body == "ok" && $0.reset == 0 }
            }
            try await client.send(headers(gateway, stream: 25))
            try await eventually("the next request") { upstream.requests.count == 11 }
            #expect(client.goAway == nil)
        }
    }

    @Test("a burst of streams before the settings are known does not end the connection")
    func burst() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { _ in .nothing }
        try await withClient(before: upstream) { gateway, client async throws in
            let burst = (0..<300).flatMap { headers(gateway, stream: UInt32($0 * 2 + 1)) }
            try await client.send(burst)
            try await eventually("the refusals") {
                try client.responses().values.count { $0.reset == Self.refusedStream } == 200
            }
            #expect(client.goAway == nil)
            try await eventually("the others") { upstream.requests.count == 100 }
        }
    }

    @Test(
        "a flood of frames that carry no request ends the connection",
        arguments: [
            ("WINDOW_UPDATE", http2Frame(8, [0, 0, 0, 1])), ("GOAWAY", http2Frame(7, [0, 0, 0, 0, 0, 0, 0, 0])),
            ("an unknown frame", http2Frame(0xAB)), ("PING", http2Frame(6, [1, 2, 3, 4, 5, 6, 7, 8])),
            ("SETTINGS", http2Frame(4)), ("PRIORITY", http2Frame(2, stream: 1, [0, 0, 0, 3, 1])),
            ("CONTINUATION", http2Frame(9, stream: 1)), ("DATA on a closed stream", http2Frame(0, stream: 1, [1])),
        ])
    func flood(_ name: String, _ frame: [UInt8]) async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            if name.hasPrefix("DATA") {
                try await client.send(headers(gateway, stream: 1))
                _ = try await client.response(1)
            }
            if name == "CONTINUATION" { try await client.send(http2Frame(1, flags: 1, stream: 1, [0x82])) }
            let many = Array(repeating: frame, count: 100).flatMap(\.self)
            for _ in 0..<100 { guard (try? await client.send(many)) != nil else { break } }
            try await client.connection.waitForClose(within: .seconds(10))
            // The library ends the connection for DATA on a closed stream.
            let codes = name.hasPrefix("DATA") ? [Self.enhanceYourCalm, Self.streamClosed] : [Self.enhanceYourCalm]
            if let code = client.goAway { #expect(codes.contains(code)) }
            // Other clients are served.
            let other = try await RawHTTP2.connect(port: gateway.port)
            try await other.send(headers(gateway, stream: 1))
            #expect(try await other.response(1).body == "ok")
            await other.close()
        }
    }

    @Test(
        "a field block or frame that is not completed in time ends the connection, even if it grows slowly",
        arguments: [
            ("a part of a frame's header", [[0, 0, 10, 1]]),
            ("a part of a block", [Array(http2Frame(1, stream: 1, Array(repeating: 0x82, count: 9)).dropLast(3))]),
            ("a block without its end", Array(repeating: http2Frame(9, stream: 1, [0x82]), count: 8)),
        ] as [(String, [[UInt8]])])
    func incompleteHead(_ name: String, _ parts: [[UInt8]]) async throws {
        let upstream = try await RawUpstream()
        let options = HarnessOptions().with(\.timeouts.requestHead, .milliseconds(500))
        try await withClient(before: upstream, options: options) { gateway, client async throws in
            if parts.count > 1 { try await client.send(http2Frame(1, flags: 1, stream: 1, [0x82])) }
            for part in parts {
                guard (try? await client.send(part)) != nil else { break }
                if parts.count > 1 { try await Task.sleep(for: .milliseconds(150)) }
            }
            try await client.connection.waitForClose(within: .seconds(10))
            if let code = client.goAway { #expect(code == Self.enhanceYourCalm) }
        }
    }

    @Test("a client that acknowledges each chunk of a long response is not a flood")
    func acknowledgements() async throws {
        let size = 16 << 20
        let upstream = try await RawUpstream { _ in
            .stream(head: "HTTP/1.1 200 OK\r\nContent-Length: \(16 << 20)\r\n\r\n", count: 16 << 20)
        }
        try await withClient(before: upstream) { gateway, client async throws in
            try await client.send(headers(gateway, stream: 1))
            var acknowledged = 0
            try await eventually("the response") {
                if client.connection.received > size { return true }
                // For each 4 KiB, twice.
                while acknowledged + 4_096 <= client.connection.received {
                    acknowledged += 4_096
                    try await client.send(
                        http2Frame(8, [0, 0, 0x10, 0]), http2Frame(8, stream: 1, [0, 0, 0x10, 0]))
                }
                return false
            }
            #expect(!client.connection.isClosed)
        }
    }

    @Test("a head longer than a frame arrives whole")
    func longHead() async throws {
        let value = String(repeating: "v", count: 9_000)
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 200 OK\r\nX-A: \(value)\r\nX-B: \(value)z\r\nX-C: \(value)\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withClient(before: upstream) { gateway, client async throws in
            try await client.send(headers(gateway, stream: 1))
            let response = try await client.response(1)
            #expect(response.fields.contains("x-b: \(value)z"))
            #expect(response.body == "ok")
            #expect(client.frames.contains { $0.header.kind == .continuation })
        }
    }

    @Test("a large section before the settings are known is read, and refused if it is too large")
    func earlySection() async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            let value = Array(repeating: UInt8(0xE9), count: 7_000)
            func request(_ stream: UInt32, _ count: Int) -> [UInt8] {
                let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")]
                    .map { (Array($0.utf8), Array($1.utf8)) }
                let key = (Array("x-api-key".utf8), Array(gateway.token.value.utf8))
                var block = hpackBlock(fields + [key] + (0..<count).map { (Array("x-\($0)".utf8), value) })[...]
                var frames = http2Frame(1, flags: 1, stream: stream, Array(block.prefix(16_000)))
                block = block.dropFirst(16_000)
                while !block.isEmpty {
                    let part = Array(block.prefix(16_000))
                    block = block.dropFirst(16_000)
                    frames += http2Frame(9, flags: block.isEmpty ? 4 : 0, stream: stream, part)
                }
                return frames
            }
            try await client.send(request(1, 4))
            #expect(try await client.response(1).body == "ok")
            #expect(upstream.requests.first?.bytes.count { $0 == 0xE9 } == 28_000)
            for (stream, count) in [(3, 5), (5, 9)] as [(UInt32, Int)] {
                try await client.send(request(stream, count))
                #expect(try await client.response(stream).fields.first == ":status: 431")
            }
            #expect(client.goAway == nil)
        }
    }

    @Test("a client without a dynamic table gets blocks without one")
    func tableSize() async throws {
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 200 OK\r\nX-A: same\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withClient(before: upstream) { gateway, client async throws in
            try await client.send(http2Frame(4, [0, 1, 0, 0, 0, 0]))
            for stream: UInt32 in [1, 3] {
                try await client.send(headers(gateway, stream: stream))
                #expect(try await client.response(stream).fields.contains("x-a: same"))
            }
            let blocks = client.frames.filter { $0.header.kind == .headers }.map(\.payload)
            #expect(blocks.first?.first == 0x20)
            // Each field is a literal without indexing, apart from those in the static table.
            #expect(blocks.allSatisfy { $0.firstRange(of: [0x40, 0x03]) == nil })
        }
    }

    @Test("a body whose size differs from its length is refused")
    func bodyLength() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { _ in .nothing }
        try await withClient(before: upstream) { gateway, client async throws in
            let length = ("content-length", Array("3".utf8))
            try await client.send(
                headers(gateway, stream: 1, method: "POST", [length], isEnd: false),
                http2Frame(0, flags: 1, stream: 1, [1, 2, 3, 4]))
            try await client.send(
                headers(gateway, stream: 3, method: "POST", [length], isEnd: false),
                http2Frame(0, flags: 1, stream: 3, [1]))
            try await client.send(headers(gateway, stream: 5, method: "POST", [length]))
            for stream: UInt32 in [1, 3, 5] {
                #expect(try await client.response(stream).fields.first == ":status: 400")
            }
            #expect(client.goAway == nil)
        }
    }
}
