import AuthKeys
import Gateway
import TestSupport
import Testing

/// WebSockets: after the upgrade, bytes pass in both directions until both sides have ended.
@Suite("Tunnels") struct TunnelTests {
    private static let upgrade =
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"

    /// An upstream that accepts the upgrade, and then sends only the bytes that a test sends.
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

    @Test("an upgrade that the upstream accepts becomes a tunnel") func accepted() async throws {
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
            try await eventually("the reply") { client.text == "and back\r\n" }
            await client.close()
            try await eventually("the end of the upstream's connection", within: .seconds(5)) {
                upstream.connections[0].hasEnded
            }
        }
    }

    @Test("either side may end its output and continue to read") func halfClose() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            try await client.send("last words")
            try await client.endOutput()
            try await eventually("the client's end") { upstream.connections[0].hasEnded }
            #expect(upstream.requests.last?.text == "last words")
            try await upstream.connections[0].send("still here")
            try await eventually("the bytes after it") { client.text == "still here" }
            try await upstream.connections[0].endOutput()
            try await eventually("the upstream's end") { client.hasEnded }
            try await upstream.connections[0].waitForClose()
        }
    }

    @Test("a side that does not read slows the tunnel down") func backpressure() async throws {
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
            try await eventually("the whole stream", within: .seconds(60)) { client.received >= size }
            await streaming
        }
    }

    @Test("an upgrade that the upstream declines gets a plain response") func declined() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/chat", Self.upgrade) + gateway.get("/next"))
            #expect(try await client.response().text == "ok")
            #expect(try await client.response().text == "ok")
            #expect(upstream.requests.map(\.head).allSatisfy { !$0.contains("\r\n\r\n") })
        }
    }

    @Test(
        "only a complete WebSocket upgrade is forwarded, and an unrequested 101 is refused",
        arguments: [
            "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
            "Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Upgrade: websocket2\r\nConnection: upgrade\r\n",
            "Upgrade: h2c, TLS/1.0\r\nConnection: upgrade\r\n",
        ])
    func incompleteUpgrades(_ headers: String) async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let response = try await gateway.exchange(gateway.get("/", headers))
            #expect(response.status == 502)
            #expect(upstream.requests[0]["Upgrade"] == [])
            #expect(upstream.requests[0]["Connection"] == [])
        }
    }

    @Test("an upgrade without a valid key is not forwarded") func withoutKey() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let response = try await gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\n\(Self.upgrade)\r\n")
            #expect(response.status == 401)
            #expect(upstream.connections.isEmpty)
        }
    }

    @Test("a silent tunnel is aborted after its idle timeout") func idleTimeout() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.timeouts.tunnelIdle, .milliseconds(200))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let client = try await client(gateway)
            try await client.waitForClose(within: .seconds(5))
            try await eventually("the end of the upstream's connection", within: .seconds(5)) {
                upstream.connections[0].hasEnded
            }
        }
    }

    @Test("a revoked key's tunnel gets a close frame between two frames") func revokedBetweenFrames() async throws {
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
            try await eventually("the end of the upstream's connection", within: .seconds(1)) {
                upstream.connections[0].hasEnded
            }
        }
    }

    @Test("a revoked key's tunnel is reset within a frame") func revokedWithinFrame() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            try await upstream.connections[0].send([0x81, 0x7E, 0x01])
            try await eventually("half a frame") { client.bytes.count == 3 }
            gateway.revoke()
            try await eventually("the reset", within: .seconds(2)) { client.wasReset }
        }
    }

    @Test("a tunnel ends when its half-closed upstream is reset") func resetUpstream() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await client(gateway)
            try await upstream.connections[0].endOutput()
            try await eventually("its end") { client.hasEnded }
            upstream.connections[0].reset()
            for _ in 0..<200 where !client.isClosed {
                try? await client.send("more bytes")
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(client.isClosed)
        }
    }
}
