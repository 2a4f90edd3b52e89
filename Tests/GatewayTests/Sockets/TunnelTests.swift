import AuthKeys
import Gateway
import Testing

/// WebSocket: after the upgrade, bytes go both ways until both sides have ended.
@Suite struct TunnelTests {
    private static let upgrade =
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"

    /// An upstream that takes the upgrade, and after that nothing but what a test tells it.
    private func upstream() async throws -> RawUpstream {
        try await RawUpstream(anyBytes: true, halfCloses: true) { request in
            request.index == 0 ? .send(Self.switching) : .nothing
        }
    }

    /// A client that has upgraded.
    private func client(_ gateway: GatewayHarness) async throws -> RawConnection {
        let client = try await connect(port: gateway.port, halfCloses: true)
        try await client.send(gateway.get("/chat", Self.upgrade))
        #expect(try await client.response().status == 101)
        return client
    }

    @Test func `an upgrade that the upstream takes becomes a tunnel`() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            let head = try #require(upstream.requests.first)
            #expect(head["Connection"] == ["Upgrade"])
            #expect(head["Upgrade"] == ["websocket"])
            #expect(head["Sec-WebSocket-Key"] == ["x"])
            #expect(head["Authorization"] == [])
            #expect(head["X-Keyward-Key-Id"] == [gateway.keyID.description])
            try await client.send("GET / HTTP/1.1\r\n\r\n anything at all")
            try await eventually("the bytes") {
                upstream.requests.last?.text == "GET / HTTP/1.1\r\n\r\n anything at all"
            }
            try await upstream.connections[0].send("and back\r\n")
            try await eventually("the answer") { client.text == "and back\r\n" }
            await client.close()
            try await eventually("the upstream to be let go", within: .seconds(5)) { upstream.connections[0].hasEnded }
        }
    }

    @Test func `either side may end its half and go on reading`() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            try await client.send("last words")
            try await client.endOutput()
            try await eventually("the client's end") { upstream.connections[0].hasEnded }
            #expect(upstream.requests.last?.text == "last words")
            try await upstream.connections[0].send("still here")
            try await eventually("what came after it") { client.text == "still here" }
            try await upstream.connections[0].endOutput()
            try await eventually("the upstream's end") { client.hasEnded }
            try await upstream.connections[0].waitForClose()
        }
    }

    @Test func `a tunnel is slowed down by whoever does not read`() async throws {
        let size = 48 << 20
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            try await client.setReading(false)
            let connection = upstream.connections[0]
            async let streaming: Void = connection.stream(size)
            let given = try await settled("the stream") { connection.streamed }
            #expect(given < 24 << 20)
            try await client.setReading(true)
            try await eventually("all of it", within: .seconds(60)) { client.received >= size }
            await streaming
        }
    }

    @Test func `an upstream that declines answers as ever`() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/chat", Self.upgrade) + gateway.get("/next"))
            #expect(try await client.response().text == "ok")
            #expect(try await client.response().text == "ok")
            #expect(upstream.requests.map(\.head).allSatisfy { !$0.contains("\r\n\r\n") })
        }
    }

    @Test(arguments: [
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        "Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Upgrade: websocket2\r\nConnection: upgrade\r\n",
        "Upgrade: h2c, TLS/1.0\r\nConnection: upgrade\r\n",
    ])
    func `nothing but a whole WebSocket upgrade is passed on, and a 101 without one is no response`(_ headers: String)
        async throws
    {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let response = try await gateway.exchange(gateway.get("/", headers))
            #expect(response.status == 502)
            #expect(upstream.requests[0]["Upgrade"] == [])
            #expect(upstream.requests[0]["Connection"] == [])
        }
    }

    @Test func `an upgrade without a good key never reaches the upstream`() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let response = try await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\(Self.upgrade)\r\n")
            #expect(response.status == 401)
            #expect(upstream.connections.isEmpty)
        }
    }

    @Test func `a tunnel that says nothing for too long is cut`() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.timeouts.tunnelIdle, .milliseconds(200))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let client = try await client(gateway)
            try await client.waitForClose(within: .seconds(5))
            try await eventually("the upstream to be let go", within: .seconds(5)) { upstream.connections[0].hasEnded }
        }
    }

    @Test func `a revoked key's tunnel is described so between two frames`() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            // A text frame "hi".
            try await upstream.connections[0].send([0x81, 0x02, 0x68, 0x69])
            try await eventually("the frame") { client.received > 4 && client.bytes.count == 4 }
            gateway.revoke()
            try await eventually("the close frame", within: .seconds(1)) { client.bytes.count > 8 }
            #expect(Array(client.bytes[4..<5]) == [0x88])
            #expect(Array(client.bytes[6..<8]) == [0x03, 0xF0])
            try await eventually("the end") { client.hasEnded }
            #expect(!client.wasReset)
            try await eventually("the upstream to be let go", within: .seconds(1)) { upstream.connections[0].hasEnded }
        }
    }

    @Test func `a revoked key's tunnel is reset in the middle of a frame`() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            try await upstream.connections[0].send([0x81, 0x7E, 0x01])
            try await eventually("half a frame") { client.bytes.count == 3 }
            gateway.revoke()
            try await eventually("the reset", within: .seconds(2)) { client.wasReset }
        }
    }

    @Test func `a tunnel whose upstream ended and is gone ends too`() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            try await upstream.connections[0].endOutput()
            try await eventually("its end") { client.hasEnded }
            upstream.connections[0].reset()
            for _ in 0..<200 where !client.isClosed {
                try? await client.send("anybody there?")
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(client.isClosed)
        }
    }
}
