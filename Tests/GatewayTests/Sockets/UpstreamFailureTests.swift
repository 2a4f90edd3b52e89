import AuthKeys
import Gateway
import Logging
import NIOCore
import TestSupport
import Testing

/// Failures of an upstream, and the responses that the client gets.
@Suite("Upstream failures") struct UpstreamFailureTests {
    private static let post = "Content-Length: 2\r\n\r\nhi"

    @Test("an upstream that refuses connections gives 502") func refusedConnection() async throws {
        // The port is in use, so no other program gets it. At the neighbouring address, no program listens on it.
        let neighbour = try await RawUpstream()
        var options = HarnessOptions()
        options.upstreamHost = "127.0.0.2"
        try await withGateway(before: neighbour, options: options) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for _ in 0..<2 {
                try await client.send(gateway.get())
                let response = try await client.response()
                #expect(response.status == 502)
                #expect(response.text.contains(#""type":"upstream_error""#))
                #expect(response.text.contains(#""code":"upstream_unreachable""#))
            }
        }
    }

    @Test("a status beyond those of HTTP passes, on both versions", arguments: [600, 799, 999])
    func oddStatus(_ status: Int) async throws {
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 \(status) Odd\r\nContent-Length: 3\r\n\r\nodd")
        }
        let files = try TLSTests.Files()
        try await withGateway(before: upstream, options: .with(\.certificate, files.certificate)) {
            gateway async throws in
            let client = try await connectTLS(port: gateway.port)
            try await client.send(gateway.get())
            let response = try await client.response()
            #expect(response.status == status && response.text == "odd")
            await client.close()
            let second = try await HTTP2Client.connect(port: gateway.port)
            let answer = try await second.exchange([
                (":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/"),
                ("x-api-key", gateway.token.value),
            ])
            #expect(answer.status == "\(status)" && answer.body == "odd")
            await second.close()
        }
    }

    @Test("the log line names route, upstream and cause")
    func logLine() async throws {
        for (reply, expected) in [
            (RawUpstream.Reply.sendThenClose(""), "cause=the upstream closed the connection reason=reset"),
            (.send("nonsense\r\n\r\n"), "cause=the bytes are not a valid response reason=reset"),
            (.nothing, "cause=the response did not begin in time reason=timeout"),
            (.sendThenClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), "reason=aborted"),
        ] {
            let lines = LogLines()
            let upstream = try await RawUpstream { _ in reply }
            var options = HarnessOptions(logger: Logger(label: "gateway") { _ in lines.handler })
                .with(\.timeouts.responseHead, .milliseconds(100))
            options.configuration.routes = [
                Route(prefix: "/v1", upstreams: [Upstream(host: "127.0.0.1", port: upstream.port)])
            ]
            try await withGateway(before: upstream, options: options) { gateway async throws in
                _ = try? await gateway.exchange(gateway.get("/v1"))
                try await eventually("the log line") { lines.all.contains { $0.contains("upstream failed") } }
                let line = try #require(lines.all.first { $0.contains("upstream failed") })
                #expect(line.contains(expected), "\(line)")
                #expect(line.contains("route=/v1 upstream=127.0.0.1:\(upstream.port)"), "\(line)")
            }
        }
        let unreachable = try await RawUpstream()
        let lines = LogLines()
        var options = HarnessOptions(logger: Logger(label: "gateway") { _ in lines.handler })
        options.upstreamHost = "127.0.0.2"
        try await withGateway(before: unreachable, options: options) { gateway async throws in
            #expect(try await gateway.exchange(gateway.get()).status == 502)
            let line = try #require(lines.all.first { $0.contains("upstream failed") })
            #expect(line.contains("cause=Connection refused reason=unreachable"), "\(line)")
            #expect(line.contains("route=/ upstream=127.0.0.2:\(unreachable.port)"), "\(line)")
        }
    }

    @Test("requests with an invalid first chunk give their upstream connections back")
    func invalidFirstChunk() async throws {
        let options = HarnessOptions.with(\.limits.upstreamConnectionsPerLoop, 2)
        try await withGateway(before: RawUpstream(), options: options) { gateway async throws in
            let head = gateway.get("/", "Transfer-Encoding: chunked\r\n").replacing("GET /", with: "POST /")
            // More than the limit, each on a new connection to the upstream.
            for _ in 0..<6 { #expect(try await gateway.exchange(head + "zz\r\n").status == 400) }
            #expect(try await gateway.exchange(gateway.get()).status == 200)
        }
    }

    @Test(
        "an upstream that closes before its response begins gives 502", arguments: ["", "HTTP/1.1 200 OK\r\nContent-"])
    func noResponse(_ sent: String) async throws {
        for reply in [RawUpstream.Reply.sendThenClose(sent), .sendThenReset(sent)] {
            try await withGateway(before: RawUpstream { _ in reply }) { gateway async throws in
                let response = try await gateway.exchange(gateway.get())
                #expect(response.status == 502)
                #expect(response.text.contains(#""code":"upstream_reset""#))
            }
        }
    }

    @Test(
        "an invalid response gives 502, and its connection is not reused",
        arguments: [
            "nonsense\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        ])
    func invalidResponse(_ sent: String) async throws {
        let upstream = try await RawUpstream { request in
            request.connection == 0 ? .send(sent) : .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            let response = try await client.response()
            #expect(response.status == 502)
            #expect(response.text.contains(#""code":"upstream_reset""#))
            try await client.send(gateway.get())
            #expect(try await client.response().text == "ok")
        }
    }

    @Test(
        "an upstream that closes within its response aborts the client",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ])
    func partialResponse(_ sent: String) async throws {
        for reply in [RawUpstream.Reply.sendThenClose(sent), .sendThenReset(sent)] {
            try await withGateway(before: RawUpstream { _ in reply }) { gateway async throws in
                let client = try await connect(port: gateway.port)
                try await client.send(gateway.get())
                try await client.waitForClose()
                #expect(client.wasReset)
                #expect(!client.text.hasSuffix("\r\n0\r\n\r\n"))
            }
        }
    }

    @Test("a partial response does not look complete to an HTTP/1.0 client") func partialHTTP10Response() async throws {
        let upstream = try await RawUpstream { _ in
            .sendThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send("GET / HTTP/1.0\r\n\(gateway.bearer)\r\n")
            try await client.waitForClose()
            #expect(client.wasReset)
        }
    }

    @Test("an invalid chunk within a response aborts the client") func invalidChunk() async throws {
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            try await client.waitForClose()
            #expect(client.wasReset)
        }
    }

    @Test("an upstream that does not respond in time gives 504") func responseTimeout() async throws {
        let upstream = try await RawUpstream { _ in .nothing }
        try await withGateway(before: upstream, options: .with(\.timeouts.responseHead, .milliseconds(200))) {
            gateway async throws in
            let response = try await gateway.exchange(gateway.get())
            #expect(response.status == 504)
            #expect(response.text.contains(#""code":"upstream_timeout""#))
            try await eventually("the upstream connection to close") { upstream.connections.allSatisfy(\.isClosed) }
        }
    }

    @Test("a stalled response is aborted after the idle timeout, and a steady one is not")
    func stalledResponse() async throws {
        let upstream = try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\na") }
        try await withGateway(before: upstream, options: .with(\.timeouts.idle, .seconds(6))) {
            gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            try await eventually("the first chunk") { client.text.hasSuffix("\r\n\r\na") }
            for _ in 0..<4 {
                try await Task.sleep(for: .milliseconds(1_600))
                try await upstream.connections[0].send("a")
            }
            try await eventually("all chunks") { client.text.hasSuffix("\r\n\r\naaaaa") }
            try await client.waitForClose()
            #expect(client.wasReset)
        }
    }

    @Test("the end of a client's connection ends its upstream request") func clientClosed() async throws {
        let upstream = try await RawUpstream { request in
            request.head.hasPrefix("GET /early") ? .nothing : .send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        }
        try await withGateway(before: upstream) { gateway async throws in
            for (number, path) in ["/early", "/within"].enumerated() {
                let client = try await connect(port: gateway.port)
                try await client.send(gateway.get(path))
                try await eventually("the request") { upstream.requests.count == number + 1 }
                if path == "/within" { try await eventually("a chunk") { client.text.hasSuffix("half") } }
                await client.close()
                let left = ContinuousClock.now
                try await eventually("the upstream connection to close") { upstream.connections[number].isClosed }
                #expect(ContinuousClock.now - left < .seconds(10))
            }
        }
    }

    @Test("a reused connection that closed is replaced for a GET") func retriedGet() async throws {
        let upstream = try await RawUpstream { request in
            request.index == 0 ? .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") : .sendThenClose("")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for _ in 0..<2 {
                try await client.send(gateway.get())
                #expect(try await client.response().text == "ok")
            }
            #expect(upstream.requests.map(\.connection) == [0, 0, 1])
            #expect(upstream.requests[1].bytes == upstream.requests[2].bytes)
        }
    }

    @Test("a request with an empty chunked body is repeated whole or not at all") func emptyChunkedBody() async throws {
        let upstream = try await RawUpstream { request in
            request.connection == 0 && request.index == 1
                ? .sendThenClose("") : .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            #expect(try await client.response().text == "ok")
            try await client.send(
                "PUT / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            let status = try await client.response().status
            #expect(status == 200 || status == 502)
        }
    }

    @Test("a reused connection that closed is not replaced for a POST") func postNotRetried() async throws {
        let upstream = try await RawUpstream { request in
            request.index == 0 ? .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") : .sendThenClose("")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            #expect(try await client.response().text == "ok")
            try await client.send("POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\(Self.post)")
            #expect(try await client.response().status == 502)
            #expect(upstream.requests.count == 2)
        }
    }

    @Test("an idle connection that sends bytes or closes is discarded") func discardedIdle() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            let post = "POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\(Self.post)"
            for number in 0..<3 {
                try await client.send(post)
                #expect(try await client.response().text == "ok")
                #expect(upstream.requests.last?.connection == number)
                if number == 0 {
                    try await upstream.connections[0].send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
                } else {
                    // A half-closed connection closes completely once the gateway has noticed it, and not before.
                    try await upstream.connections[number].channel.close(mode: .output).get()
                }
                try await eventually("the connection to close") { upstream.connections[number].isClosed }
            }
        }
    }

    @Test("bytes after a response are never taken for the next one") func surplusBytes() async throws {
        let upstream = try await RawUpstream { request in
            request.connection == 0
                ? .send(
                    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
                : .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get())
            #expect(try await client.response().text == "ok")
            try await client.send(gateway.get())
            #expect(try await client.response().text == "clean")
        }
    }

    @Test("an idle connection is closed after its timeout") func idleTimeout() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream, options: .with(\.timeouts.upstreamIdle, .milliseconds(100))) {
            gateway async throws in
            #expect(try await gateway.exchange(gateway.get()).status == 200)
            try await eventually("the idle connection to close") { upstream.connections[0].isClosed }
        }
    }

    @Test("connections to the upstream are reused, up to the limit") func reuse() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream, options: .with(\.limits.upstreamConnectionsPerLoop, 2)) {
            gateway async throws in
            let statuses = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for _ in 0..<20 { tasks.addTask { try await gateway.exchange(gateway.get()).status } }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 20))
            #expect(upstream.connections.count <= 2)
        }
    }

    @Test("an early response to an upload ends both connections") func earlyResponse() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { _ in
            .send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send("POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 1000000\r\n\r\nsome")
            #expect(try await client.response().status == 413)
            try await client.waitForClose()
            try await eventually("the upstream connection to close") { upstream.connections[0].isClosed }
        }
    }

    @Test("a connection is read further after pipelined requests with late responses") func pipelining() async throws {
        let upstream = try await RawUpstream()
        let unreachable = try await RawUpstream()
        await unreachable.close()
        let routes = [
            Route(upstreams: [Upstream(host: "127.0.0.1", port: upstream.port)]),
            Route(prefix: "/down", upstreams: [Upstream(host: "127.0.0.1", port: unreachable.port)]),
        ]
        try await withGateway(before: upstream, options: .with(\.routes, routes)) { gateway async throws in
            let unknown = "GET / HTTP/1.1\r\nHost: a\r\nX-API-Key: \(Token.generate().value)\r\n\r\n"
            for (pair, status) in [(gateway.get("/down"), 502), (unknown, 401)] {
                let client = try await connect(port: gateway.port)
                try await client.send(pair + pair)
                for _ in 0..<2 { #expect(try await client.response().status == status) }
                try await client.send(gateway.get())
                #expect(try await client.response(within: .seconds(5)).status == 200)
            }
        }
    }
}
