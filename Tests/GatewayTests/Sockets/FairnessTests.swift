import AuthKeys
import Gateway
import NIOCore
import TestSupport
import Testing

@Suite("Fairness between keys")
struct FairnessTests {
    private static let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"
    private static let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n"
    private static let busy = #""code":"too_many_concurrent_requests""#

    /// An upstream that sends nothing for `/slow`, more than any buffer holds for `/big`, and accepts upgrades.
    private func upstream() async throws -> RawUpstream {
        try await RawUpstream(anyBytes: true) { request in
            if request.text.contains("Upgrade: websocket") { return .send(Self.switching) }
            if request.text.contains(" /slow ") { return .nothing }
            if request.text.contains(" /big ") {
                return .stream(head: "HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n", count: 50_000_000)
            }
            return .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
    }

    private func get(_ path: String, _ bearer: String, _ more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: api.test\r\n\(bearer)\(more)\r\n"
    }

    /// Sends a request on its own connection.
    private func open(
        _ path: String, _ bearer: String, _ more: String = "", at gateway: GatewayHarness, reading: Bool = true
    ) async throws -> RawConnection {
        let client = try await connect(port: gateway.port, reading: reading, receiveBuffer: reading ? nil : 8_192)
        try await client.send(get(path, bearer, more))
        return client
    }

    @Test("requests of a key beyond its share get 429 on every event loop, and those of other keys pass")
    func share() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.limits.requestsPerKey, 4).with(\.threads, 3)
        try await withGateway(before: upstream, options: options) { gateway async throws in
            var held: [RawConnection] = []
            for _ in 0..<4 { held.append(try await open("/slow", gateway.bearer, at: gateway)) }
            try await eventually("the requests") { upstream.requests.count == 4 }
            for _ in 0..<4 {
                let refused = try await gateway.exchange(gateway.get())
                #expect(refused.status == 429 && refused.text.contains(Self.busy))
                #expect(refused.text.contains(#""type":"rate_limit_error""#))
                #expect(refused["Retry-After"] == ["1"])
                #expect(try await gateway.exchange(get("/", gateway.otherBearer())).status == 200)
            }
            await held[0].close()
            var status = 0
            for _ in 0..<200 where status != 200 {
                status = try await gateway.exchange(gateway.get()).status
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(status == 200)
            for client in held { await client.close() }
        }
    }

    @Test("requests without a key count by address")
    func preflights() async throws {
        let upstream = try await upstream()
        try await withGateway(before: upstream, options: .with(\.limits.requestsPerKey, 2)) { gateway async throws in
            let preflight =
                "OPTIONS /slow HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\nAccess-Control-Request-Method: PUT\r\n\r\n"
            var held: [RawConnection] = []
            for _ in 0..<2 {
                let client = try await connect(port: gateway.port)
                try await client.send(preflight)
                held.append(client)
            }
            try await eventually("the preflights") { upstream.requests.count == 2 }
            #expect(try await gateway.exchange(preflight).status == 429)
            #expect(try await gateway.exchange(gateway.get()).status == 200)
            for client in held { await client.close() }
        }
    }

    @Test("one key holds at most half of the upstream connections, and gets 429 while its requests do not end")
    func pool() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 4).with(\.timeouts.connect, .seconds(1))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            var held: [RawConnection] = []
            for _ in 0..<5 { held.append(try await open("/slow", gateway.bearer, at: gateway)) }
            try await eventually("the requests") { upstream.requests.count == 2 }
            let other = gateway.otherBearer()
            for _ in 0..<20 { #expect(try await gateway.exchange(get("/", other)).status == 200) }
            for client in held[2...] {
                let refused = try await client.response()
                #expect(refused.status == 429 && refused.text.contains(Self.busy))
            }
            for client in held { await client.close() }
        }
    }

    @Test("silent WebSockets of one key use up neither the connections of requests nor all tunnels")
    func tunnels() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 2).with(\.limits.tunnelsPerLoop, 16)
        try await withGateway(before: upstream, options: options) { gateway async throws in
            var tunnels: [RawConnection] = []
            for number in 0..<10 {
                let client = try await open("/chat", gateway.bearer, Self.upgrade, at: gateway)
                let response = try await client.response()
                #expect(response.status == (number < 8 ? 101 : 429))
                tunnels.append(client)
            }
            let other = gateway.otherBearer()
            #expect(try await gateway.exchange(gateway.get()).status == 200)
            #expect(try await gateway.exchange(get("/", other)).status == 200)
            #expect(try await gateway.exchange(get("/chat", other, Self.upgrade)).status == 101)
            for client in tunnels { await client.close() }
            var status = 0
            for _ in 0..<200 where status != 101 {
                status = try await gateway.exchange(gateway.get("/chat", Self.upgrade)).status
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(status == 101)
        }
    }

    @Test("a request of a key with fewer connections ends the oldest stalled exchange of the key with the most")
    func stalled() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 4).with(\.timeouts.connect, .seconds(20))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            var stalled: [RawConnection] = []
            for bearer in [gateway.bearer, gateway.bearer, gateway.otherBearer(), gateway.otherBearer()] {
                let count = upstream.requests.count
                stalled.append(try await open("/big", bearer, at: gateway, reading: false))
                try await eventually("the request") { upstream.requests.count == count + 1 }
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(try await gateway.exchange(get("/", gateway.otherBearer())).status == 200)
            // The connection may be closed already.
            try? await stalled[0].setReading(true)
            try await eventually("the reset of the oldest") { stalled[0].isClosed }
            #expect(stalled[0].received < 50_000_000)
            for client in stalled[1...] {
                try await client.setReading(true)
                try await eventually("a whole response", within: .seconds(60)) { client.received > 50_000_000 }
                await client.close()
            }
        }
    }

    @Test("a stalled upload is evicted with 408")
    func upload() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 1).with(\.timeouts.connect, .seconds(20))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let stalled = try await connect(port: gateway.port)
            try await stalled.send("POST /slow HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 10\r\n\r\n")
            try await eventually("the request") { upstream.requests.count == 1 }
            #expect(try await gateway.exchange(get("/", gateway.otherBearer())).status == 200)
            #expect(try await stalled.response().status == 408)
        }
    }

    @Test("a slow upstream's requests are not evicted, nor those of the waiting key")
    func slow() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 1).with(\.timeouts.connect, .seconds(3))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let slow = try await open("/slow", gateway.bearer, at: gateway)
            try await eventually("the request") { upstream.requests.count == 1 }
            #expect(try await gateway.exchange(get("/", gateway.otherBearer())).status == 504)
            #expect(!slow.isClosed && slow.received == 0)
            await slow.close()
        }
    }

    @Test("a WebSocket beyond the limit replaces the oldest silent one of the key with the most")
    func silentTunnel() async throws {
        let upstream = try await upstream()
        let options = HarnessOptions.with(\.limits.tunnelsPerLoop, 4).with(\.timeouts.idle, .seconds(2))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            var tunnels: [RawConnection] = []
            for bearer in [gateway.bearer, gateway.bearer, gateway.otherBearer(), gateway.otherBearer()] {
                let client = try await open("/chat", bearer, Self.upgrade, at: gateway)
                #expect(try await client.response().status == 101)
                tunnels.append(client)
            }
            let other = gateway.otherBearer()
            #expect(try await gateway.exchange(get("/chat", other, Self.upgrade)).status == 503)
            try await Task.sleep(for: .milliseconds(2_100))
            #expect(try await gateway.exchange(get("/chat", other, Self.upgrade)).status == 101)
            try await eventually("the close frame") { tunnels[0].hasEnded && tunnels[0].bytes.count > 4 }
            #expect(tunnels[0].bytes.prefix(1) == [0x88] && tunnels[0].bytes.dropFirst(2).prefix(2) == [0x03, 0xF5])
            #expect(tunnels[1...].allSatisfy { !$0.hasEnded })
            for client in tunnels { await client.close() }
        }
    }

    @Test("HTTP/2 streams with a closed window leave connections for other keys")
    func zeroWindow() async throws {
        let upstream = try await upstream()
        let files = try TLSTests.Files()
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 8).with(\.certificate, files.certificate)
        try await withGateway(before: upstream, options: options) { gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            let head = [
                (":method", "GET"), (":scheme", "https"), (":authority", "api.test"), (":path", "/big"),
                ("authorization", "Bearer \(gateway.token.value)"),
            ]
            for _ in 0..<20 {
                let stream = try await client.stream()
                try await stream.channel.setOption(.autoRead, value: false).get()
                try await stream.send(head, isEnd: true)
            }
            try await eventually("the requests of its share") { upstream.requests.count == 4 }
            let other = gateway.otherBearer()
            for _ in 0..<20 {
                let otherClient = try await connectTLS(port: gateway.port)
                try await otherClient.send(get("/", other))
                #expect(try await otherClient.response().status == 200)
                await otherClient.close()
            }
            await client.close()
        }
    }
}
