import AuthKeys
import Gateway
import Testing

/// The ends of messages, on both sides.
@Suite("Framing") struct FramingTests {
    @Test("a chunked body is forwarded in both directions") func chunked() async throws {
        let upstream = try await RawUpstream { _ in
            .send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nT: 1\r\n\r\n"
            )
        }
        try await withGateway(before: upstream) { gateway async throws in
            let response = try await gateway.exchange(
                "POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )
            #expect(response.isChunked)
            #expect(response.text == "hello, world")
            let request = try #require(upstream.requests.first)
            #expect(request["Transfer-Encoding"] == ["chunked"])
            #expect(request["Content-Length"] == [])
            #expect(request.body.replacing("\r\n", with: "|") == "3|abc|2|de|0||")
        }
    }

    @Test("responses without a body stay without one, and the connection persists")
    func bodilessResponses() async throws {
        let upstream = try await RawUpstream { request in
            switch request.index {
            case 0: .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            case 1: .send("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
            case 2: .send("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: \"a\"\r\n\r\n")
            case 3: .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            default: .send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast")
            }
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\r\n"
            try await client.send(head)
            let toHead = try await client.response(toHead: true)
            #expect(toHead["Content-Length"] == ["1000"])
            try await client.send(gateway.get())
            let noContent = try await client.response()
            #expect(noContent.status == 204)
            #expect(noContent["Content-Length"] == [])
            #expect(!noContent.isChunked)
            try await client.send(gateway.get())
            #expect(try await client.response()["Content-Length"] == ["1000"])
            try await client.send(head)
            #expect(try await client.response(toHead: true).status == 200)
            try await client.send(gateway.get())
            #expect(try await client.response().text == "last")
            #expect(upstream.connections.count == 1)
        }
    }

    @Test("a refusal of HEAD has no body") func refusedHead() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.response(toHead: true).status == 401)
            try await client.send(gateway.get())
            #expect(try await client.response().status == 200)
        }
    }

    @Test("interim responses pass before the final one") func interim() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { request in
            request.index == 0
                ? .send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
                : .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(
                "POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.response().status == 100)
            let hints = try await client.response()
            #expect(hints.status == 103)
            #expect(hints["Link"] == ["</a>"])
            try await client.send("hello")
            #expect(try await client.response().text == "ok")
            #expect(upstream.requests.first?["Expect"] == ["100-continue"])
        }
    }

    @Test("an HTTP/1.0 client gets no chunks and no interim response") func http10() async throws {
        let upstream = try await RawUpstream { _ in
            .send(
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
            )
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\(gateway.bearer)\r\n")
            try await client.waitForClose()
            let response = try await client.response()
            #expect(response.status == 200)
            #expect(!response.isChunked)
            #expect(response["Connection"] == ["close"])
            #expect(response.text == "abc")
            #expect(upstream.requests.first?["Host"] == ["127.0.0.1:\(upstream.port)"])
        }
    }

    @Test("an HTTP/1.0 client may keep its connection if the length is known") func http10KeepAlive() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for _ in 0..<2 {
                try await client.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\(gateway.bearer)\r\n")
                let response = try await client.response()
                #expect(response["Connection"] == ["keep-alive"])
                #expect(response.text == "ok")
            }
            try await client.send("GET / HTTP/1.0\r\n\(gateway.bearer)\r\n")
            #expect(try await client.response()["Connection"] == ["close"])
            try await client.waitForClose()
        }
    }

    @Test("a response that is delimited by the end of the connection is chunked for the client")
    func delimitedByClose() async throws {
        let upstream = try await RawUpstream { _ in .sendThenClose("HTTP/1.1 200 OK\r\n\r\nuntil the end") }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for _ in 0..<2 {
                try await client.send(gateway.get())
                let response = try await client.response()
                #expect(response.isChunked)
                #expect(response.text == "until the end")
            }
            #expect(upstream.connections.count == 2)
        }
    }

    @Test("pipelined requests are answered in order") func pipelining() async throws {
        let upstream = try await RawUpstream { request in
            let body = request.head.split(separator: " ")[1]
            return .send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            let post = "POST /post HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 5\r\n\r\nhello"
            let bad = "GET /bad HTTP/1.1\r\nHost: a\r\n\r\n"
            try await client.send(gateway.get("/1") + post + bad + gateway.get("/2") + "\r\n" + gateway.get("/3"))
            #expect(try await client.response().text == "/1")
            #expect(try await client.response().text == "/post")
            #expect(try await client.response().status == 401)
            #expect(try await client.response().text == "/2")
            #expect(try await client.response().text == "/3")
            #expect(upstream.requests.map(\.body) == ["", "hello", "", ""])
        }
    }

    @Test("a request may arrive byte by byte") func byteByByte() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            let request =
                "POST /slow HTTP/1.1\r\nHost: a\r\nX-API-Key: \(gateway.token.value)\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
            for byte in request.utf8 { try await client.send([byte]) }
            #expect(try await client.response().status == 200)
            #expect(upstream.requests.first?.body.hasSuffix("0\r\n\r\n") == true)
        }
    }

    @Test("a client that asks to close is closed after its response") func connectionClose() async throws {
        try await withGateway(before: RawUpstream()) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/", "Connection: close\r\n"))
            #expect(try await client.response()["Connection"] == ["close"])
            try await client.waitForClose()
            #expect(!client.wasReset)
        }
    }

    @Test("limits have their own statuses") func limits() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let long = try await gateway.exchange(gateway.get("/" + String(repeating: "a", count: 9_000)))
            #expect(long.status == 414)
            #expect(long.text.contains("invalid_request_error"))
            let veryLong = try await gateway.exchange("GET /" + String(repeating: "a", count: 40_000))
            #expect(veryLong.status == 414)
            let large = gateway.get("/", "X-Large: \(String(repeating: "a", count: 40_000))\r\n")
            #expect(try await gateway.exchange(large).status == 431)
            let many = gateway.get("/", String(repeating: "X-Many: 1\r\n", count: 101))
            #expect(try await gateway.exchange(many).status == 431)
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("a large head within the limits is forwarded whole") func largeHead() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let value = String(repeating: "v", count: 30_000)
            #expect(try await gateway.exchange(gateway.get("/", "X-Large: \(value)\r\n")).status == 200)
            #expect(upstream.requests.first?["X-Large"] == [value])
        }
    }
}
