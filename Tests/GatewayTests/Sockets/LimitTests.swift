import AuthKeys
import Gateway
import Testing

/// The limits of the gateway, and its responses beyond them.
@Suite("Limits of the gateway") struct LimitTests {
    @Test("a connection beyond the limit gets 503, and one that closes admits another")
    func connections() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream, options: .with(\.limits.connections, 8)) { gateway async throws in
            var clients: [RawConnection] = []
            for _ in 0..<8 {
                let client = try await connect(port: gateway.port)
                try await client.send(gateway.get())
                #expect(try await client.response().status == 200)
                clients.append(client)
            }
            let refused = try await connect(port: gateway.port)
            let answer = try await refused.response()
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == ["1"])
            #expect(answer["Connection"] == ["close"])
            #expect(answer.text.contains(#""code":"overloaded""#))
            try? await refused.send(gateway.get())
            try await refused.waitForClose()
            await clients[0].close()
            var status = 0
            for _ in 0..<100 where status != 200 {
                try await Task.sleep(for: .milliseconds(20))
                status = (try? await gateway.exchange(gateway.get()).status) ?? 0
            }
            #expect(status == 200)
            #expect(upstream.requests.count == 9)
        }
    }

    @Test("an upload that trickles in is ended, and a steady one is not") func slowUpload() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { _ in .nothing }
        // As long as a test may be delayed on a loaded machine.
        let options = HarnessOptions.with(\.timeouts.idle, .seconds(4)).with(\.limits.uploadBytesPerIdleTime, 100)
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let head = "POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 1000000\r\n\r\n"
            let slow = try await connect(port: gateway.port)
            let steady = try await connect(port: gateway.port)
            try await slow.send(head)
            try await steady.send(head)
            for _ in 0..<100 where !slow.isClosed {
                try? await slow.send("x")
                try await steady.send(String(repeating: "x", count: 200))
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(try await slow.response().status == 408)
            #expect(!steady.isClosed)
        }
    }
}

/// The forwarded fields of proxies in front of the gateway.
@Suite("Trusted proxies") struct TrustedProxyTests {
    private static let forwardedFields =
        "X-Forwarded-For: 203.0.113.7, 198.51.100.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: api.example\r\n"

    private func seen(_ headers: String, trusting networks: [String]) async throws -> RawUpstream.Request {
        let upstream = try await RawUpstream()
        let proxies = networks.compactMap { IPNetwork($0) }
        return try await withGateway(before: upstream, options: .with(\.trustedProxies, proxies)) {
            gateway async throws in
            _ = try await gateway.exchange(gateway.get("/", headers))
            return try #require(upstream.requests.first)
        }
    }

    @Test("a trusted proxy's fields are used, and its address is appended") func trusted() async throws {
        let request = try await seen(Self.forwardedFields, trusting: ["10.0.0.0/8", "127.0.0.0/8"])
        #expect(request["X-Forwarded-For"] == ["203.0.113.7, 198.51.100.2, 127.0.0.1"])
        #expect(request["X-Forwarded-Proto"] == ["https"])
        #expect(request["X-Forwarded-Host"] == ["api.example"])
    }

    @Test("other peers' fields are not used") func untrusted() async throws {
        let request = try await seen(Self.forwardedFields, trusting: ["10.0.0.0/8", "::/0"])
        #expect(request["X-Forwarded-For"] == ["127.0.0.1"])
        #expect(request["X-Forwarded-Proto"] == ["http"])
        #expect(request["X-Forwarded-Host"] == ["api.test"])
    }

    @Test(
        "the chain of addresses is used back to the first invalid one",
        arguments: [
            ("X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n", "1.1.1.1, 2.2.2.2, 127.0.0.1"),
            ("X-Forwarded-For: 1.1.1.1, junk, 2.2.2.2\r\n", "2.2.2.2, 127.0.0.1"),
            ("X-Forwarded-For: 1.1.1.1:5000, [2001:db8::1]:443\r\n", "1.1.1.1, 2001:db8::1, 127.0.0.1"),
            ("X-Forwarded-For: 1.1.1.1,\r\n", "127.0.0.1"), ("X_Forwarded_For: 1.1.1.1\r\n", "127.0.0.1"),
            ("", "127.0.0.1"),
        ])
    func chain(_ headers: String, _ expected: String) async throws {
        let request = try await seen(headers, trusting: ["127.0.0.1"])
        #expect(request["X-Forwarded-For"] == [expected])
    }

    @Test("an invalid protocol or host is left out") func invalidValues() async throws {
        let request = try await seen(
            "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a/b\r\n", trusting: ["127.0.0.1"])
        #expect(request["X-Forwarded-Proto"] == ["http"])
        #expect(request["X-Forwarded-Host"] == ["api.test"])
    }
}
