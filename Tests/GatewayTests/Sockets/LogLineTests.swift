import AuthKeys
import Gateway
import HTTPCredentials
import RequestLog
import TestSupport
import Testing

/// The lines that requests leave in the request log.
@Suite("Lines of the request log") struct LogLineTests {
    /// Runs requests before an upstream, and returns their lines after the gateway has stopped.
    private func lines(
        before upstream: RawUpstream, options: HarnessOptions = HarnessOptions(),
        _ body: (GatewayHarness) async throws -> Void
    ) async throws -> [TestLine] {
        let log = try await withGateway(before: upstream, options: options) { gateway async throws in
            try await body(gateway)
            return gateway.log
        }
        return try #require(log.rows).takeLines()
    }

    private func upstream(_ reply: RawUpstream.Reply) async throws -> RawUpstream {
        try await RawUpstream { _ in reply }
    }

    private static let ok = RawUpstream.Reply.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    @Test("a forwarded request leaves its key, owner, target, sizes, durations and client") func forwarded()
        async throws
    {
        let upstream = try await upstream(.send("HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\n\r\nshort"))
        var options = HarnessOptions.with(\.trustedProxies, [try #require(IPNetwork("127.0.0.1"))])
        (options.owner, options.privacy) = ("acme/zürich", LogPrivacy(queries: .full))
        let before = Timestamp.now
        var (id, keyID, port) = ("", KeyID.generate(), 0)
        let lines = try await lines(before: upstream, options: options) { gateway async throws in
            (keyID, port) = (gateway.keyID, upstream.port)
            let response = try await gateway.exchange(
                "POST /v1/a%20b?x=1&y HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)User-Agent: curl/8.1\r\n"
                    + "X-Forwarded-For: 192.0.2.8\r\nContent-Length: 7\r\n\r\n1234567")
            id = response["X-Request-Id"].first ?? ""
            #expect(gateway.log.upstreams.name(1) == "127.0.0.1:\(port)")
        }
        let line = try #require(lines.first)
        #expect(lines.count == 1 && line.id.description == id && line.keyID == keyID && line.owner == "acme/zürich")
        #expect(line.surface == .gateway && line.outcome == .allowed && line.status == 418 && line.code == nil)
        #expect(line.method == "POST" && line.path == "/v1/a%20b" && line.query == "x=1&y" && line.agent == "curl")
        #expect(line.bytesIn == 7 && line.bytesOut == 5 && line.upstream == 1)
        #expect(line.address == IPAddress("192.0.2.8") && line.flags == [] && line.weight == 1)
        #expect(line.at >= before && line.at <= .now && line.id.time.milliseconds == line.at.milliseconds)
        let upstreamTime = try #require(line.upstreamMicroseconds)
        #expect(upstreamTime >= 0 && line.microseconds >= Int64(upstreamTime))
    }

    @Test("a refused request leaves the reason, and the key if it exists") func refused() async throws {
        var keyID = KeyID.generate()
        var options = HarnessOptions()
        options.owner = "acme"
        let lines = try await lines(before: upstream(Self.ok), options: options) { gateway async throws in
            keyID = gateway.keyID
            for token in [nil, "junk", Token.generate().value] {
                let bearer = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
                _ = try await gateway.exchange("GET /x HTTP/1.1\r\nHost: a\r\n\(bearer)\r\n")
            }
            gateway.apply(.active, policy: try #require(KeyPolicy(methods: ["PUT"])))
            _ = try await gateway.exchange(gateway.get())
            gateway.apply(.active, expiresAt: Timestamp(microseconds: 1))
            _ = try await gateway.exchange(gateway.get())
            gateway.revoke()
            _ = try await gateway.exchange(gateway.get())
            _ = try await gateway.exchange("GET / HTTP/1.1\r\n\r\n")
        }
        let codes: [String?] = [
            "key_missing", "key_malformed", "key_unknown", "method_not_allowed", "key_expired", "key_inactive",
            "malformed_request",
        ]
        #expect(lines.map(\.code) == codes)
        let keys: [KeyID?] = [nil, nil, nil, keyID, keyID, keyID, nil]
        #expect(lines.map(\.keyID) == keys)
        #expect(lines.map { Int($0.status) } == [401, 401, 401, 403, 401, 401, 400])
        #expect(lines.map { $0.path } == ["/x", "/x", "/x", "/", "/", "/", ""])
        for line in lines {
            #expect(line.outcome == .denied && line.bytesOut > 50)
            #expect(line.upstream == 0 && line.upstreamMicroseconds == nil)
            #expect(line.path.isEmpty || line.address == IPAddress("127.0.0.1"))
        }
    }

    @Test("the end of a request that was not served has an outcome and a code") func outcomes() async throws {
        let unreachable = try await lines(
            before: upstream(.sendThenReset("")), options: .with(\.timeouts.responseHead, .milliseconds(100))
        ) {
            _ = try await $0.exchange($0.get())
        }
        #expect(unreachable.map(\.outcome) == [.failed] && unreachable.map(\.code) == ["upstream_reset"])
        let late = try await lines(
            before: upstream(.nothing), options: .with(\.timeouts.responseHead, .milliseconds(100))
        ) {
            _ = try await $0.exchange($0.get())
        }
        #expect(late.map(\.outcome) == [.failed] && late.map(\.code) == ["upstream_timeout"] && late[0].status == 504)
        let left = try await lines(before: upstream(.nothing)) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/left"))
            try await eventually("the request") { gateway.gateway.localAddress != nil }
            try await Task.sleep(for: .milliseconds(50))
            await client.close()
        }
        #expect(left.map(\.outcome) == [.terminated] && left.map(\.code) == ["client_closed"] && left[0].status == 499)
        let half = try await upstream(.sendThenReset("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
        let cut = try await lines(before: half) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            try await eventually("the abort") { client.wasReset }
        }
        #expect(cut.map(\.outcome) == [.failed] && cut.map(\.code) == ["upstream_reset"] && cut[0].status == 200)
    }

    @Test("a stream that its key's revocation ends is flagged and terminated") func revoked() async throws {
        let events = try await upstream(
            .send(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "5\r\nevent\r\n"))
        let lines = try await lines(before: events) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/events"))
            try await eventually("the stream") { client.text.contains("event") }
            gateway.revoke()
            try await eventually("the reset", within: .seconds(5)) { client.wasReset }
        }
        #expect(lines.map(\.outcome) == [.terminated] && lines.map(\.code) == ["key_inactive"])
        #expect(lines[0].status == 200 && lines[0].flags == .stream && lines[0].bytesOut == 5)
        #expect(lines[0].keyID != nil)
    }

    @Test("a WebSocket leaves one line, with the bytes of both directions") func tunnel() async throws {
        let upstream = try await RawUpstream(anyBytes: true, halfCloses: true) { request in
            request.index == 0
                ? .send("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n") : .send("12345")
        }
        let lines = try await lines(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/chat", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
            _ = try await client.response()
            try await client.send("123")
            try await eventually("the answer") { client.text.contains("12345") }
            await client.close()
        }
        #expect(lines.map(\.status) == [499] && lines[0].flags == .webSocket && lines[0].code == "client_closed")
        #expect(lines[0].bytesIn == 3 && lines[0].bytesOut == 5)
    }

    @Test("a preflight needs no key, and skipped paths leave no line") func preflight() async throws {
        var options = HarnessOptions()
        options.privacy = LogPrivacy(skipping: [.init(method: nil, path: try #require(PathPattern("/health")))])
        let lines = try await lines(before: upstream(Self.ok), options: options) { gateway async throws in
            _ = try await gateway.exchange(
                "OPTIONS /p HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\nAccess-Control-Request-Method: PUT\r\n\r\n")
            _ = try await gateway.exchange(gateway.get("/health?x"))
        }
        #expect(lines.map(\.path) == ["/p"] && lines[0].flags == .preflight && lines[0].keyID == nil)
        #expect(lines[0].outcome == .allowed && lines[0].query == "")
    }
}
