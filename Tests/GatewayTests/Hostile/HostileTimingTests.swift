import AuthKeys
import TestSupport
import Testing

/// Upstreams that send bytes without a request, or before the end of a request.
@Suite("Unexpected bytes of an upstream") struct HostileTimingTests {
    private static let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

    @Test(
        "bytes on an idle connection are not forwarded",
        arguments: [
            poison, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "\r\n", "x", "\u{0}", poison + poison,
        ])
    func idleConnection(_ unasked: String) async throws {
        let upstream = try await RawUpstream { .send(echo($0)) }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for (number, path) in ["/first", "/second"].enumerated() {
                try await client.send(gateway.get(path))
                let response = try await client.response()
                #expect(response.text == path)
                try await upstream.connections[number].send(unasked)
                try await eventually("the connection to close") { upstream.connections[number].isClosed }
            }
            let innocent = try await gateway.exchange(gateway.get("/innocent"))
            #expect(innocent.text == "/innocent")
            #expect(upstream.requests.map(\.connection) == [0, 1, 2])
            #expect(client.text == "")
        }
    }

    /// A response to the first half of a request, and the second half that follows it.
    struct Early: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let framing: String
        let half: String
        let rest: String
        var reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"
    }

    private static let hidden = "GET /hidden HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n\r\n"
    private static let chunked = "Transfer-Encoding: chunked\r\n"

    static let early: [Early] = [
        Early(testDescription: "a length", framing: "Content-Length: 10\r\n", half: "hello", rest: "world" + hidden),
        Early(
            testDescription: "a length, nothing of it", framing: "Content-Length: 500\r\n", half: "",
            rest: hidden + hidden),
        Early(testDescription: "a request for a body", framing: "Content-Length: 500\r\n", half: "h", rest: hidden),
        Early(testDescription: "chunks", framing: chunked, half: "5\r\nhello\r\n", rest: "0\r\n\r\n" + hidden),
        Early(
            testDescription: "chunks that break", framing: chunked, half: "5\r\nhello\r\n", rest: "zz\r\n\r\n" + hidden),
        Early(
            testDescription: "a length, and more than asked for", framing: "Content-Length: 10\r\n", half: "hello",
            rest: "world" + hidden, reply: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly" + poison),
        Early(
            testDescription: "an interim response first", framing: "Content-Length: 10\r\nExpect: 100-continue\r\n",
            half: "",
            rest: "helloworld" + hidden,
            reply: "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly"),
    ]

    @Test("an early response ends both connections", arguments: early)
    func earlyResponse(_ early: Early) async throws {
        let upstream = try await RawUpstream(anyBytes: true) { request in
            guard request.connection == 0 else { return .send(echo(request)) }
            return request.index == 0 ? .send(early.reply) : .nothing
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port, halfCloses: true)
            try await client.send(
                "POST /p HTTP/1.1\r\nHost: api.test\r\n\(gateway.bearer)\(early.framing)\r\n\(early.half)")
            var response = try await client.response()
            if response.status == 103 { response = try await client.response() }
            #expect(response.text == "early")
            // The client continues with its request.
            try? await client.send(early.rest.replacing("{key}", with: gateway.token.value))
            try await eventually("the end of the client's connection") { client.hasEnded }
            #expect(client.text == "")
            await client.close()
            try await eventually("the upstream connection to close") { upstream.connections[0].isClosed }
            let innocent = try await gateway.exchange(gateway.get("/innocent"))
            #expect(innocent.text == "/innocent")
            #expect(!upstream.requests.contains { $0.text.contains("/hidden") })
        }
    }
}
