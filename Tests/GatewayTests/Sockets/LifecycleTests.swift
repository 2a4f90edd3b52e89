import AuthKeys
import Gateway
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite("Gateway lifecycle") struct LifecycleTests {
    @Test("a port in use is reported") func portInUse() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            var configuration = GatewayConfiguration(routes: [])
            configuration.port = gateway.port
            let index = KeyIndex()
            let verifier = KeyVerifier(
                index: index, freshness: IndexFreshness(maxStaleness: .zero),
                lookup: UnknownKeyLookup(store: gateway.store, index: index))
            let second = Gateway(configuration: configuration, verifier: verifier, logger: Logger(label: "t"))
            await #expect(throws: GatewayError.addressInUse(host: "127.0.0.1", port: gateway.port)) {
                try await second.bind()
            }
            #expect(second.localAddress == nil)
            #expect(gateway.gateway.localAddress?.port == gateway.port)
        }
    }

    @Test("on shutdown, running exchanges end and no others begin") func shutdown() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        try await withGateway(before: upstream) { gateway async throws in
            let (busy, idle) = (try await connect(port: gateway.port), try await connect(port: gateway.port))
            try await idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await idle.response().status == 401)
            try await busy.send(gateway.get())
            try await eventually("the request") { upstream.requests.count == 1 }
            await gateway.group.triggerGracefulShutdown()
            try await idle.waitForClose()
            #expect(!busy.isClosed)
            await #expect(throws: (any Error).self) { try await connect(port: gateway.port) }
            try await upstream.connections[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            let response = try await busy.response()
            #expect(response.text == "ok")
            #expect(response["Connection"] == ["close"])
            try await busy.waitForClose()
            try await eventually("the gateway to end") { gateway.gateway.localAddress == nil }
        }
    }

    @Test("draining has a timeout") func drainTimeout() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        try await withGateway(before: upstream, options: .with(\.timeouts.drain, .milliseconds(200))) {
            gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            try await eventually("the request") { upstream.requests.count == 1 }
            await gateway.group.triggerGracefulShutdown()
            try await client.waitForClose()
            try await eventually("the gateway to end") { gateway.gateway.localAddress == nil }
        }
    }

    @Test("requests beyond the limit get 503") func requestLimit() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        try await withGateway(before: upstream, options: .with(\.limits.requestsInFlight, 1)) { gateway async throws in
            let first = try await connect(port: gateway.port)
            try await first.send(gateway.get())
            try await eventually("the request") { upstream.requests.count == 1 }
            let response = try await gateway.exchange(gateway.get())
            #expect(response.status == 503)
            #expect(response["Retry-After"] == ["1"])
            #expect(response.text.contains("unavailable_error"))
            try await upstream.connections[0].send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            #expect(try await first.response().text == "ok")
            let second = try await connect(port: gateway.port)
            try await second.send(gateway.get())
            try await eventually("room again") { upstream.requests.count == 2 }
        }
    }

    @Test("connections beyond the limit are closed") func connectionLimit() async throws {
        try await withGateway(before: RawUpstream(), options: .with(\.limits.connections, 1)) { gateway async throws in
            let first = try await connect(port: gateway.port)
            try await first.send(gateway.get())
            #expect(try await first.response().status == 200)
            let second = try await connect(port: gateway.port)
            try await second.waitForClose()
            try await first.send(gateway.get())
            #expect(try await first.response().status == 200)
        }
    }

    @Test("a head that is late gets 408, and an idle connection is closed") func headTimeout() async throws {
        try await withGateway(
            before: RawUpstream(),
            options: .with(\.timeouts.requestHead, .milliseconds(200)).with(\.timeouts.keepAlive, .milliseconds(600))
        ) { gateway async throws in
            let slow = try await connect(port: gateway.port)
            try await slow.send("GET / HTTP/1.1\r\nHost:")
            let late = try await slow.response()
            #expect(late.status == 408)
            #expect(late["X-Request-Id"].first?.contains { $0 != "0" } == true)
            try await slow.waitForClose()
            let idle = try await connect(port: gateway.port)
            try await idle.waitForClose()
            #expect(idle.received == 0)
        }
    }

    @Test("no log line contains a credential or a path") func logLines() async throws {
        let lines = LogLines()
        var logger = Logger(label: "gateway") { _ in lines.handler }
        logger.logLevel = .trace
        let upstream = try await RawUpstream { _ in .sendThenClose("") }
        try await withGateway(before: upstream, options: HarnessOptions(logger: logger)) { gateway async throws in
            _ = try await gateway.exchange(gateway.get("/secret-path?secret-query"))
            _ = try await gateway.exchange("GET /secret-path HTTP/1.1\r\nHost: a\r\nX-API-Key: secret-key\r\n\r\n")
            try await eventually("the log lines") { lines.all.count { $0.contains("request ") } == 2 }
            let text = lines.all.joined(separator: "\n")
            #expect(text.contains("status=502"))
            #expect(text.contains("status=401"))
            #expect(text.contains("key_id=\(gateway.keyID)"))
            #expect(
                text.contains(
                    "upstream failed cause=the upstream closed the connection reason=reset request_id="))
            #expect(text.contains(" route=/ upstream=127.0.0.1:\(upstream.port)"))
            #expect(!text.contains("secret"))
            #expect(!text.contains(gateway.token.value))
        }
    }

    @Test("the echo upstream answers an expectation before the body arrives")
    func expectation() async throws {
        let echo = EchoUpstream()
        let address = try await echo.bind()
        let serving = Task { try await echo.run() }
        try await withGateway(upstream: try #require(address.port)) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(
                "POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
            #expect(try await client.response().status == 100)
            try await client.send("hello")
            let response = try await client.response()
            #expect(response.status == 200 && response.text.hasSuffix("\"body_bytes\":5}\n"))
            try await client.send(gateway.get())
            #expect(try await client.response().status == 200)
        }
        serving.cancel()
        try await serving.value
    }

    @Test("the echo upstream describes the request") func echo() async throws {
        let echo = EchoUpstream()
        let address = try await echo.bind()
        let serving = Task { try await echo.run() }
        try await withGateway(upstream: try #require(address.port)) { gateway async throws in
            let response = try await gateway.exchange(
                "POST /p?q=\" HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)X-A: \"1\\\r\nContent-Length: 5\r\n\r\nhello")
            #expect(response.status == 200)
            #expect(
                response.text.hasPrefix(#"{"method":"POST","path":"/p?q=\"","headers":[["Host","a"],["X-A","\"1\\"],"#))
            #expect(response.text.contains(#"["X-Keyward-Key-Id","\#(gateway.keyID)"]"#))
            #expect(response.text.hasSuffix("\"body_bytes\":5}\n"))
        }
        serving.cancel()
        try await serving.value
    }
}
