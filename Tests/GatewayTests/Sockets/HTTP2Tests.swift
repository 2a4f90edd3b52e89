import AuthKeys
import Gateway
import NIOCore
import NIOHPACK
import NIOHTTP2
import ServiceLifecycle
import TestSupport
import Testing

/// HTTP/2 requests, which pass the same checks as HTTP/1.1 requests.
@Suite("HTTP/2") struct HTTP2Tests {
    private func head(_ method: String, _ path: String, _ gateway: GatewayHarness, _ more: (String, String)...)
        -> [(String, String)]
    {
        [
            (":method", method), (":scheme", "https"), (":authority", "api.test"), (":path", path),
            ("authorization", "Bearer \(gateway.token.value)"),
        ] + more
    }

    private func withClient(
        before upstream: RawUpstream, _ body: (GatewayHarness, HTTP2Client) async throws -> Void
    ) async throws {
        let files = try TLSTests.Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            try await body(gateway, client)
            await client.close()
        }
    }

    @Test("a request is forwarded with the key's identity and without the credential") func roundTrip() async throws {
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 201 Created\r\nX-Upper: Case\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let response = try await client.exchange(
                head(
                    "POST", "/a?b=c", gateway, ("x-one", "1"), ("cookie", "a=1"), ("cookie", "b=2"),
                    ("x-keyward-owner", "me"),
                    ("x-forwarded-for", "1.2.3.4"), ("content-length", "5")), body: "hello")
            #expect(response.status == "201")
            #expect(response["x-upper"] == ["Case"])
            #expect(response["connection"] == [])
            #expect(response["x-request-id"].count == 1)
            #expect(response.body == "ok")
            let seen = try #require(upstream.requests.first)
            #expect(seen.head.hasPrefix("POST /a?b=c HTTP/1.1\r\n"))
            #expect(seen["host"] == ["api.test"])
            #expect(seen["cookie"] == ["a=1; b=2"])
            #expect(seen["content-length"] == ["5"])
            #expect(seen.body == "hello")
            #expect(seen["x-keyward-key-id"] == [gateway.keyID.description])
            #expect(seen["x-keyward-owner"] == [])
            #expect(seen["x-forwarded-for"] == ["127.0.0.1"])
            #expect(seen["x-forwarded-proto"] == ["https"])
            #expect(seen["authorization"] == [])
        }
    }

    @Test("a body without a length is chunked, and trailers are forwarded both ways") func chunkedBody() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { request in
            guard request.text.hasSuffix("\r\n\r\n"), request.text.contains("x-sum") else { return .nothing }
            return .send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n"
            )
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(head("POST", "/", gateway, ("te", "trailers")), isEnd: false)
            try await stream.send("hello", isEnd: false)
            try await stream.send("", isEnd: false)
            try await stream.send([("x-sum", "1"), ("x-keyward-owner", "me")], isEnd: true)
            let response = try await stream.response()
            #expect(response.body == "ok")
            #expect(response.heads.count == 2)
            #expect(response.heads.last?["grpc-status"] == ["0"])
            let seen = upstream.requests.map(\.text).joined()
            #expect(seen.contains("5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"))
            #expect(seen.contains("\r\nTE: trailers\r\n"))
            #expect(!seen.contains("x-keyward-owner"))
        }
    }

    @Test("a refusal of a request with a body comes at once") func earlyRefusal() async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(
                [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/")], isEnd: false)
            let response = try await stream.response()
            #expect(response.status == "401")
            #expect(response.body.contains("key_missing"))
            #expect(response["www-authenticate"].count == 1)
            try await eventually("the reset") { stream.received.isClosed }
            #expect(stream.received.reset == .noError)
            #expect(upstream.connections.isEmpty)
            // The connection persists.
            #expect(try await client.exchange(head("GET", "/", gateway)).body == "ok")
        }
    }

    @Test("an early response of the upstream ends the upload too") func earlyResponse() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { request in
            request.index == 0 ? .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") : .nothing
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(head("POST", "/", gateway), isEnd: false)
            stream.channel.writeAndFlush(
                HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(ByteBuffer(repeating: 1, count: 1 << 20)))),
                promise: nil)
            try await eventually("the reset", within: .seconds(2)) { stream.received.isClosed }
            #expect(stream.received.body == "ok")
            #expect(stream.received.reset == .noError)
            try await upstream.connections[0].waitForClose()
        }
    }

    @Test("streams do not wait for each other") func concurrentStreams() async throws {
        let upstream = try await RawUpstream { request in
            request.head.hasPrefix("GET /slow") ? .nothing : .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let slow = try await client.stream()
            try await slow.send(head("GET", "/slow", gateway), isEnd: true)
            for _ in 0..<20 { #expect(try await client.exchange(head("GET", "/quick", gateway)).body == "ok") }
            #expect(!slow.received.isClosed)
        }
    }

    @Test("responses to HEAD, 204 and interim responses have no body") func bodilessResponses() async throws {
        let upstream = try await RawUpstream { request in
            switch true {
            case request.head.hasPrefix("HEAD"): .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            case request.head.hasPrefix("GET /hints"):
                .send(
                    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            default: .send("HTTP/1.1 204 No Content\r\n\r\n")
            }
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let head = try await client.exchange(head("HEAD", "/", gateway))
            #expect(head["content-length"] == ["1000"])
            #expect(head.body == "")
            #expect(try await client.exchange(self.head("DELETE", "/", gateway)).status == "204")
            let hints = try await client.exchange(self.head("GET", "/hints", gateway))
            #expect(hints.heads.map { $0.first(name: ":status") } == ["103", "200"])
            #expect(hints.body == "ok")
        }
    }

    @Test("a client that resets its stream closes the upstream's connection") func resetStream() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(head("GET", "/", gateway), isEnd: true)
            try await eventually("the request") { !upstream.requests.isEmpty }
            stream.channel.close(promise: nil)
            try await upstream.connections[0].waitForClose(within: .seconds(1))
        }
    }

    @Test("an upstream that closes within a body resets the stream") func lostUpstream() async throws {
        let upstream = try await RawUpstream { _ in .sendThenClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(head("GET", "/", gateway), isEnd: true)
            try await eventually("the reset") { stream.received.isClosed }
            let received = stream.received
            #expect(received.reset == .cancel)
            #expect(!received.hasEnded)
        }
    }

    @Test("a revoked key's streams are reset, while the connection and other keys' streams persist")
    func revokedKey() async throws {
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let other = Token.generate()
            gateway.index.apply(
                KeyEntry(digest: other.digest, keyID: .generate(), version: 1, state: .active, name: "o", scopes: ""))
            let (mine, others) = (try await client.stream(), try await client.stream())
            try await mine.send(head("GET", "/", gateway), isEnd: true)
            var headers = head("GET", "/", gateway)
            headers[4].1 = "Bearer \(other.value)"
            try await others.send(headers, isEnd: true)
            for stream in [mine, others] {
                try await eventually("an event") { stream.received.body == "event" }
            }
            gateway.revoke()
            try await eventually("the reset", within: .seconds(1)) { mine.received.isClosed }
            #expect(mine.received.reset == .cancel)
            #expect(!others.received.isClosed)
        }
    }

    @Test(
        "a request that HTTP/1.1 would read differently is refused and not forwarded",
        arguments: [
            [("x-bad", "a\r\nx-keyward-owner: me")], [("x-bad", "a\u{0}")], [("x bad", "a")], [("x\r\nbad", "a")],
            [("Upper", "a")], [("connection", "close")], [("transfer-encoding", "chunked")], [("upgrade", "websocket")],
            [("te", "gzip")], [("host", "other.test")], [(":path", "/again")], [(":unknown", "x")],
            [("content-length", "7")],
            [("content-length", "1"), ("content-length", "2")],
        ])
    func ambiguousRequests(_ more: [(String, String)]) async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(head("GET", "/", gateway) + more, isEnd: true)
            try await eventually("the end of the stream") { stream.received.isOver }
            let received = stream.received
            #expect(received.status == nil || received.status == "400")
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("an invalid path is refused", arguments: ["", "noslash", "/a b", "/a\r\nX: y", "/a#b", "http://x/"])
    func invalidPaths(_ path: String) async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(head("GET", path, gateway), isEnd: true)
            try await eventually("the end of the stream") { stream.received.isOver }
            #expect(stream.received.status == nil || stream.received.status == "400")
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("limits have the same statuses as on HTTP/1.1") func limits() async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            let long = try await client.exchange(head("GET", "/" + String(repeating: "a", count: 9_000), gateway))
            #expect(long.status == "414")
            let wide = try await client.exchange(
                head("GET", "/", gateway) + (0..<120).map { ("x-\($0)", "1") })
            #expect(wide.status == "431")
            let connect = try await client.exchange([
                (":method", "CONNECT"), (":authority", "other.test:443"),
                ("authorization", "Bearer \(gateway.token.value)"),
            ])
            #expect(connect.status == "405")
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("shutdown sends GOAWAY and lets running streams end") func shutdown() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        let files = try TLSTests.Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            let stream = try await client.stream()
            try await stream.send(head("GET", "/", gateway), isEnd: true)
            try await eventually("the request") { !upstream.requests.isEmpty }
            await gateway.group.triggerGracefulShutdown()
            try await eventually("GOAWAY") { client.hasGoneAway }
            try await upstream.connections[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            let response = try await stream.response()
            #expect(response.body == "ok", "\(response)")
        }
    }

    @Test("a stream opened before GOAWAY was received is served") func lateStream() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        let files = try TLSTests.Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            let first = try await client.stream()
            try await first.send(head("GET", "/first", gateway), isEnd: true)
            try await eventually("the request") { upstream.requests.count == 1 }
            try await client.channel.setOption(.autoRead, value: false).get()
            await gateway.group.triggerGracefulShutdown()
            try await Task.sleep(for: .milliseconds(100))
            let late = try await client.stream()
            try await late.send(head("GET", "/late", gateway), isEnd: true)
            try await client.channel.setOption(.autoRead, value: true).get()
            try await eventually("GOAWAY") { client.hasGoneAway }
            try await eventually("the late request") { upstream.requests.count == 2 }
            for connection in upstream.connections {
                try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
            #expect(try await late.response().body == "ok")
            #expect(try await first.response().body == "ok")
            try await eventually("the end of the connection") { !client.channel.isActive }
        }
    }

    @Test("a large body passes in both directions under flow control") func largeBody() async throws {
        let size = 8 << 20
        let upstream = try await RawUpstream(anyBytes: true) { _ in .nothing }
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(head("POST", "/", gateway, ("content-length", "\(size)")), isEnd: false)
            let piece = String(repeating: "x", count: 1 << 20)
            for number in 0..<8 { try await stream.send(piece, isEnd: number == 7) }
            try await eventually("the upload") { upstream.connections.first.map { $0.received > size } ?? false }
            try await upstream.connections[0].send("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            await upstream.connections[0].stream(size)
            #expect(try await stream.response().body.utf8.count == size)
        }
    }

    @Test(
        "an invalid request on one stream does not affect the others",
        arguments: [
            ("te", "gzip"), ("connection", "close"), ("x-bad", "a\u{0}"), (":path", "/again"), ("content-length", "7"),
        ])
    func invalidStream(_ header: (String, String)) async throws {
        let upstream = try await RawUpstream { request in
            request.head.hasPrefix("GET /slow") ? .nothing : .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let slow = try await client.stream()
            try await slow.send(head("GET", "/slow", gateway), isEnd: true)
            try await eventually("the request") { upstream.requests.count == 1 }
            let bad = try await client.stream()
            try await bad.send(head("GET", "/bad", gateway) + [header], isEnd: true)
            try await eventually("the refusal") { bad.received.isOver }
            #expect(try await client.exchange(head("GET", "/good", gateway)).body == "ok")
            #expect(!slow.received.isOver)
            try await upstream.connections[0].send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
            #expect(try await slow.response().body == "late")
        }
    }

    @Test("an early response arrives whole, even if the client reads slowly") func slowReader() async throws {
        let size = 400_000
        let body = String(repeating: "x", count: size)
        let upstream = try await RawUpstream(anyBytes: true) { request in
            request.index == 0
                ? .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: \(size)\r\n\r\n\(body)") : .nothing
        }
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.channel.setOption(.autoRead, value: false).get()
            try await stream.send(head("POST", "/", gateway), isEnd: false)
            // Longer than the gateway lingers after all output was sent.
            try await Task.sleep(for: .milliseconds(1_600))
            try await stream.channel.setOption(.autoRead, value: true).get()
            stream.channel.read()
            #expect(try await stream.response().body.utf8.count == size)
        }
    }

    @Test("trailers after an early response end only their stream") func lateTrailers() async throws {
        let upstream = try await RawUpstream()
        try await withClient(before: upstream) { gateway, client async throws in
            let stream = try await client.stream()
            try await stream.send(
                [(":method", "POST"), (":scheme", "https"), (":authority", "a"), (":path", "/")], isEnd: false)
            #expect(try await stream.response().status == "401")
            try await stream.send([("x-sum", "1")], isEnd: true)
            #expect(try await client.exchange(head("GET", "/", gateway)).body == "ok")
        }
    }
}
