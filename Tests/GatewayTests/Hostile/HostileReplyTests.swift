import Testing

/// Upstream responses that could harm other clients.
@Suite("Hostile responses") struct HostileReplyTests {
    private static let ok = "HTTP/1.1 200 OK\r\n"
    private static let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    private static let length = "Content-Length: 2\r\n"
    private static let chunked = "Transfer-Encoding: chunked\r\n"
    private static let chunks = "2\r\nok\r\n0\r\n\r\n"

    private static func response(_ fields: String, _ body: String = "ok") -> String { "\(ok)\(fields)\r\n\(body)" }

    static let framings: [HostileReply] =
        [
            .none("CL and TE", response(length + chunked, chunks)),
            .none("TE and CL", response(chunked + length, chunks)),
            .none("two lengths", response("Content-Length: 2\r\nContent-Length: 3\r\n")),
            .none("one length twice", response(length + length)),
            .none("TE twice", response(chunked + chunked, chunks)),
            .none("TE of HTTP/1.0", "HTTP/1.0 200 OK\r\n\(chunked)\r\n\(chunks)"),
            .none("a 204 with CL and TE", "HTTP/1.1 204 No Content\r\n\(length)\(chunked)\r\n"),
            .none("a 304 with two lengths", "HTTP/1.1 304 Not Modified\r\n\(length)\(length)\r\n"),
            .none(
                "an interim response with two lengths", "HTTP/1.1 103 Early Hints\r\n\(length)\(length)\r\n\(poison)"),
        ]
        + [
            "2, 2", "2,3", "-1", "-2", "+2", "0x2", "", "2 2", "two", "99999999999999999999", "18446744073709551618",
            "2\0", "\u{B}2",
        ].map {
            .none("Content-Length: \($0.debugDescription)", response("Content-Length: \($0)\r\n"))
        }
        + [
            "gzip", "identity", "chunked, chunked", "gzip, chunked", "chunked, gzip", "xchunked", "", "chunked;q=1",
            "\u{B}chunked",
        ].map {
            .none("Transfer-Encoding: \($0.debugDescription)", response("Transfer-Encoding: \($0)\r\n", chunks))
        }

    static let heads: [HostileReply] = [
        "nonsense", "HTTP/2 200 OK", "HTTP/2.0 200 OK", "HTTP/1.2 200 OK", "HTTP/0.9 200 OK", "http/1.1 200 OK",
        "HTTP 200 OK",
        "HTTP\u{F}1.1 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK",
        "HTTP/1.1 099 Odd",
        "HTTP/1.1 000 Odd", "HTTP/1.1 -20 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 OK", "HTTP/1.1", "HTTP/1.1  200 OK",
        "HTTP/1.1\t200 OK",
        " HTTP/1.1 200 OK", "\r\nHTTP/1.1 200 OK", "ICY 200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 O\rK",
        "HTTP/1.1 200 OK\r", "HTTP/1.1 200 OK\n", "GET / HTTP/1.1", "\u{15}\u{3}\u{3}\0\u{2}\u{2}P", "<html></html>",
        "HTTP/1.1 101 Switching Protocols",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c",
    ].map { .none($0.debugDescription, "\($0)\r\n\(length)\r\nok") }

    private static let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n"

    /// Responses to a client that requests an upgrade to WebSocket.
    static let upgrades: [HostileReply] = [
        ("no protocol", ""), ("no Connection", "Upgrade: websocket\r\n"), ("no Upgrade", "Connection: Upgrade\r\n"),
        ("another protocol", "Connection: Upgrade\r\nUpgrade: h2c\r\n"), ("two lengths", websocket + length + length),
        ("a similar protocol", "Connection: Upgrade\r\nUpgrade: websocketx\r\n"),
        ("CL and TE", websocket + length + chunked),
        ("a folded protocol", "Connection: Upgrade\r\nUpgrade:\r\n websocket\r\n"),
    ].map { .none("101 with \($0)", "HTTP/1.1 101 Switching Protocols\r\n\($1)\r\n", to: websocket) }

    static let fields: [HostileReply] =
        [
            "X: a\r\n folded\r\n", "X: a\r\n\tfolded\r\n", " X: a\r\n", "X : a\r\n", "X\t: a\r\n", ": a\r\n", "X\r\n",
            "X: a\0b\r\n", "X(: a\r\n",
            "X: a\u{7F}\r\n", "X: a\rSet-Cookie: stolen=1\r\n", "X: a\nSet-Cookie: stolen=1\r\n", "X: a\r\r\n",
            "X: a\n", "X\u{80}: a\r\n",
            "X: a\r\n \r\n", "X: \u{1B}[2J\r\n", String(repeating: "X:1\r\n", count: 100),
            "X: \(String(repeating: "a", count: 40_000))\r\n",
        ].map { .none("field \($0.prefix(40).debugDescription)", response(length + $0)) } + [
            .none("bare LF everywhere", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
            .none("a bare LF at the end of the head", "\(ok)\(length)\n\(poison)"),
            .none("a head without end", "\(ok)X: \(String(repeating: "a", count: 40_000))"),
            .none("a head that ends early", "\(ok)Content-Le", closes: true), .none("no byte", "", closes: true),
            .none("no head", "<html>poison</html>", closes: true),
            .none("an interim response without its end", "HTTP/1.1 103 Early Hints\r\n", closes: true),
        ]

    static let bodies: [HostileReply] =
        [
            .cut("less than the length", response("Content-Length: 9\r\n", "half"), closes: true),
            .cut("nothing of the length", response("Content-Length: 9\r\n", ""), closes: true),
            .cut("chunks without end", response(chunked, "2\r\nok\r\n"), closes: true),
            .cut("an unfinished chunk", response(chunked, "5\r\nok"), closes: true),
            .cut("a last chunk without its end", response(chunked, "2\r\nok\r\n0\r\n"), closes: true),
            .cut("chunks without end for HTTP/1.0", response(chunked, "2\r\nok\r\n"), closes: true, version: "1.0"),
        ]
        + [
            "zz\r\n", "0x2\r\nok\r\n", "+2\r\nok\r\n", "-2\r\nok\r\n", "2 \r\nok\r\n", "\r\nok\r\n",
            "2\nok\r\n0\r\n\r\n", "2\r\nokX\r\n0\r\n\r\n",
            "2\r\nok\n0\r\n\r\n", "1\r\nok\r\n0\r\n\r\n", "2;\r\nok\r\n0\r\n\r\n", "ffffffffffffffff\r\nok",
            "2\r\nok\r\n0\r\nX : 1\r\n\r\n",
            "2\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n", "2\r\nok\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "2\r\nok\r\n0\r\nX: 1\n\r\n",
            "2\r\nok\r\n0\r\n\(poison)", poison, "2;\(String(repeating: "a", count: 300))\r\nok\r\n",
        ].map { .cut("chunk \($0.prefix(40).debugDescription)", response(chunked, $0)) }

    static let surplus: [HostileReply] = [
        .gets("a response behind a length", response(length) + poison, response("\(length){id}")),
        .gets("a byte behind a length", response(length, "ok!"), response("\(length){id}")),
        .gets("a line end behind a length", response(length, "ok\r\n"), response("\(length){id}")),
        .gets(
            "a response behind a length of 0", response("Content-Length: 0\r\n", poison),
            response("Content-Length: 0\r\n{id}", "")),
        .gets("a response behind chunks", response(chunked, chunks + poison), response("{id}\(chunked)", chunks)),
        .gets("a 204 with a body", "HTTP/1.1 204 No Content\r\n\(length)\r\nok", "HTTP/1.1 204 No Content\r\n{id}\r\n"),
        .gets(
            "a 204 with chunks", "HTTP/1.1 204 No Content\r\n\(chunked)\r\n\(chunks)",
            "HTTP/1.1 204 No Content\r\n{id}\r\n"),
        .gets(
            "a 204 with a response", "HTTP/1.1 204 No Content\r\n\r\n\(poison)", "HTTP/1.1 204 No Content\r\n{id}\r\n"),
        .gets(
            "a 304 with a body", "HTTP/1.1 304 Not Modified\r\n\(length)\r\nok",
            "HTTP/1.1 304 Not Modified\r\n\(length){id}\r\n"),
        .gets(
            "a 304 with chunks", "HTTP/1.1 304 Not Modified\r\n\(chunked)\r\n\(chunks)",
            "HTTP/1.1 304 Not Modified\r\n{id}\r\n"),
        .gets("a HEAD with a body", response(length), response("\(length){id}", ""), method: "HEAD"),
        .gets("a HEAD with chunks", response(chunked, chunks), response("{id}", ""), method: "HEAD"),
        .gets("a HEAD with a response", response(length, poison), response("\(length){id}", ""), method: "HEAD"),
    ]

    static let odd: [HostileReply] = [
        .gets(
            "a thousand interim responses",
            String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 1_000) + response(length),
            String(repeating: "HTTP/1.1 103 Early Hints\r\n{id}\r\n", count: 1_000) + response("\(length){id}"),
            keepsUpstream: true),
        .gets(
            "interim responses for HTTP/1.0", "HTTP/1.1 100 Continue\r\n\r\n" + response(length),
            response("\(length){id}Connection: close\r\n"), version: "1.0", keepsClient: false, keepsUpstream: true),
        .gets(
            "an interim response with a length", "HTTP/1.1 102 Processing\r\n\(length)\r\n" + response(length),
            "HTTP/1.1 102 Processing\r\n{id}\r\n" + response("\(length){id}"), keepsUpstream: true),
        .gets(
            "an interim response with chunks", "HTTP/1.1 199 Odd\r\n\(chunked)\r\n" + response(length),
            "HTTP/1.1 199 Odd\r\n{id}\r\n" + response("\(length){id}"), keepsUpstream: true),
        .gets(
            "until the end", response("", poison), response("{id}\(chunked)", "2c\r\n\(poison)\r\n0\r\n\r\n"),
            closes: true),
        .gets(
            "until the end, by HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nok", response("{id}\(chunked)", chunks), closes: true),
        .gets(
            "until the end, for HTTP/1.0", response("", poison), response("{id}Connection: close\r\n", poison),
            version: "1.0",
            closes: true, keepsClient: false),
        .gets("nothing until the end", response("", ""), response("{id}\(chunked)", "0\r\n\r\n"), closes: true),
        .gets(
            "fields of one connection",
            response("Connection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: 9\r\nUpgrade: h2c\r\n\(length)"),
            response("\(length){id}")),
        .gets(
            "a length named in Connection", response("Connection: Content-Length\r\n\(length)"),
            response("\(length){id}"),
            keepsUpstream: true),
        .gets(
            "TE named in Connection", response("Connection: Transfer-Encoding\r\n\(chunked)", chunks),
            response("{id}\(chunked)", chunks),
            keepsUpstream: true),
        .gets(
            "an id of its own", response("X-Request-Id: spoofed\r\nx_request_id: spoofed\r\n\(length)"),
            response("\(length){id}"),
            keepsUpstream: true),
        .gets(
            "no reason phrase", "HTTP/1.1 200\r\n\(length)\r\nok", "HTTP/1.1 200\r\n\(length){id}\r\nok",
            keepsUpstream: true),
        .gets(
            "extensions and trailers",
            response(chunked, "2;a=\"b;c\"\r\nok\r\n0\r\nSet-Cookie: stolen=1\r\nX-Request-Id: 1\r\nX-Sum: 1\r\n\r\n"),
            response("{id}\(chunked)", "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"), keepsUpstream: true),
    ]

    @Test("a response with ambiguous framing is refused", arguments: framings)
    func ambiguousFramings(_ reply: HostileReply) async throws {
        try await run(reply)
    }

    @Test("a response without a valid status line is refused", arguments: heads)
    func statusLines(_ reply: HostileReply) async throws {
        try await run(reply)
    }

    @Test("an upgrade that the request did not ask for is refused", arguments: upgrades)
    func unrequestedUpgrades(_ reply: HostileReply) async throws {
        try await run(reply)
    }

    @Test("a response's head is checked as strictly as a request's", arguments: fields)
    func headFields(_ reply: HostileReply) async throws {
        try await run(reply)
    }

    @Test("a partial response cannot be mistaken for a complete one", arguments: bodies)
    func partialBodies(_ reply: HostileReply) async throws {
        try await run(reply)
    }

    @Test("surplus bytes after a response are not forwarded", arguments: surplus)
    func surplusBytes(_ reply: HostileReply) async throws {
        try await run(reply)
    }

    @Test("an unusual but harmless response is forwarded", arguments: odd)
    func unusual(_ reply: HostileReply) async throws {
        try await run(reply)
    }
}
