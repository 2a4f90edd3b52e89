import Testing

/// Invalid chunked bodies, and trailers that pose as header fields (RFC 9112 section 7.1).
@Suite("Hostile chunked bodies") struct HostileChunkTests {
    private static let framing = "Transfer-Encoding: chunked\r\n"
    private static let whole = "5\r\nhello\r\n0\r\n\r\n"

    private static func post(_ body: String) -> String {
        "POST /p HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n\(framing)\r\n\(body)"
    }

    private static func crosses(_ name: String, _ body: String, as seen: String = whole) -> HostileCase {
        .passes(name, post(body), framing, body: seen)
    }

    static let sizes: [HostileCase] = [
        "0x5", "0X5", "x5", "\\x5", "+5", "-5", "-0", "5 ", " 5", "\t5", "5\t", "", " ", "5h", "g", "5,", "5.0", "5 5",
        "5:",
        "5=", "\"5\"", "5\u{0}", "\u{0}5", "\u{B}5", "5\u{B}", "5\u{C}", "5\u{A0}", "\u{EF}\u{BC}\u{95}",
        "\u{D9}\u{A5}",
        "8000000000000005", "ffffffffffffffff", "10000000000000005", "fffffffffffffffffffff", "0000000000000005",
        "5;", "5;;a", "5;a=", "5;=b", "5;a=b;", "5; a=b", "5 ;a=b", "5;a =b", "5;a= b", "5;a=\"b", "5;a=\"b\"c",
        "5;a=\"b\\\"",
        "5;a\u{0}", "5;a=\u{7F}", "5;a=\"\u{0}\"", "5;(a)", "5;\u{80}", "5;a=b,c", "5;a\rb", "5;a\nb", "5\r", ";a",
        "5a;",
    ].map { .broken("size \($0.debugDescription)", post("\($0)\r\nhello\r\n0\r\n\r\n")) }

    static let ends: [HostileCase] = [
        .broken("a bare LF after the size", post("5\nhello\r\n0\r\n\r\n")),
        .broken("a bare CR after the size", post("5\rhello\r\n0\r\n\r\n")),
        .broken("LF CR after the size", post("5\n\rhello\r\n0\r\n\r\n")),
        .broken("nothing after the data", post("5\r\nhello0\r\n\r\n")),
        .broken("a bare LF after the data", post("5\r\nhello\n0\r\n\r\n")),
        .broken("a bare CR after the data", post("5\r\nhello\r0\r\n\r\n")),
        .broken("two other bytes after the data", post("5\r\nhelloXX0\r\n\r\n")),
        .broken("a blank after the data", post("5\r\nhello \r\n0\r\n\r\n")),
        .broken("an empty line after the data", post("5\r\nhello\r\n\r\n0\r\n\r\n")),
        .broken("more data than the size", post("4\r\nhello\r\n0\r\n\r\n")),
        .broken("less data than the size", post("7\r\nhello\r\n0\r\n\r\n")),
        .broken("a bare LF after the last size", post("5\r\nhello\r\n0\n\r\n")),
        .broken("a bare LF at the end", post("5\r\nhello\r\n0\r\n\n")),
        .broken("CR CR LF at the end", post("5\r\nhello\r\n0\r\n\r\r\n")),
        .broken("a request at the end", post("5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n")),
        .broken("an extension without end", post("5;\(String(repeating: "a", count: 300))\r\nhello\r\n0\r\n\r\n")),
        .broken(
            "an extension one byte too long", post("5;\(String(repeating: "a", count: 253))\r\nhello\r\n0\r\n\r\n")),
        .broken("a size of many zeros", post("\(String(repeating: "0", count: 200))5\r\nhello\r\n0\r\n\r\n")),
    ]

    static let trailers: [HostileCase] = [
        "X : 1", " X: 1", "\tX: 1", ": 1", "X", "X=1", "X: \u{0}", "X: a\rb", "X: a\nb", "X: 1\r", "X: 1\r\n folded",
        "X(: 1",
        "X\u{80}: 1", "Content-Length: 5", "content-length: 5", "Content-Length : 5", "Transfer-Encoding: chunked",
        "TRANSFER-ENCODING: gzip", "Host: evil.test", "host: api.test", "Origin: https://evil.test",
        "Access-Control-Request-Method: GET", "GET /smuggled HTTP/1.1",
        "X: \(String(repeating: "a", count: 8_192))", String(repeating: "X: 1\r\n", count: 1_400) + "X: 1",
    ].map {
        .broken("trailer \($0.prefix(50).debugDescription)", post("5\r\nhello\r\n0\r\n\($0)\r\n\r\n"))
    }

    static let dropped: [HostileCase] = [
        "X-Keyward-Key-Id", "x_keyward_key_id", "X.Keyward.Key.Id", "X-Keyward-Owner", "x-KEYWARD-scopes",
        "X-Keyward-New",
        "X-Request-Id", "x_request_id", "X-Forwarded-For", "X_Forwarded_For", "X-Forwarded-Host", "Forwarded",
        "X-Real-IP",
        "Authorization", "X-API-Key", "x-api-key", "Proxy-Authorization", "Cookie", "Set-Cookie", "Connection",
        "Keep-Alive",
        "Upgrade", "TE", "Trailer", "Expect", "Content-Type", "Content-Encoding", "Content-Range", "Cache-Control",
        "Range",
        "If-Match", "Max-Forwards",
    ].map { crosses("trailer \($0)", "5\r\nhello\r\n0\r\n\($0): spoofed\r\n\r\n") }

    static let harmless: [HostileCase] = [
        crosses("an extension", "5;a=b\r\nhello\r\n0\r\n\r\n"),
        crosses("an extension without value", "5;a\r\nhello\r\n0;b\r\n\r\n"),
        crosses("a quoted extension", "5;a=\"; \\\" 0\"\r\nhello\r\n0\r\n\r\n"),
        crosses("the longest extension", "5;\(String(repeating: "a", count: 252))\r\nhello\r\n0\r\n\r\n"),
        crosses("a size with zeros", "005\r\nhello\r\n000\r\n\r\n"),
        crosses("a size in capitals", "A\r\nhelloworld\r\n0\r\n\r\n", as: "a\r\nhelloworld\r\n0\r\n\r\n"),
        crosses("a size of 15 digits", "000000000000005\r\nhello\r\n0\r\n\r\n"),
        crosses("a trailer that may pass", "0\r\nX-Sum: 10\r\n\r\n", as: "0\r\nX-Sum: 10\r\n\r\n"),
        crosses(
            "a forbidden trailer before an allowed one", "0\r\nX-API-Key: {key}\r\nX-Sum: 10\r\n\r\n",
            as: "0\r\nX-Sum: 10\r\n\r\n"),
        crosses("line ends in the data", "5\r\n\r\n\r\n0\r\n0\r\n\r\n", as: "5\r\n\r\n\r\n0\r\n0\r\n\r\n"),
        crosses(
            "a request in the data", "13\r\nGET /s HTTP/1.1\r\n\r\n\r\n0\r\n\r\n",
            as: "13\r\nGET /s HTTP/1.1\r\n\r\n\r\n0\r\n\r\n"),
    ]

    @Test("a chunk size that is not plain hexadecimal digits is refused", arguments: sizes)
    func chunkSizes(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a chunk that does not end where its size says is refused", arguments: ends)
    func chunkEnds(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a trailer that is malformed or frames a message is refused", arguments: trailers)
    func forbiddenTrailers(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a trailer with a reserved or header-only name is dropped", arguments: dropped)
    func droppedTrailers(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("an unambiguous chunked body is forwarded", arguments: harmless)
    func harmlessBodies(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a chunk with a wrong end is refused when it arrives byte by byte", arguments: ends)
    func endsByteByByte(_ hostile: HostileCase) async throws {
        try await run(hostile, byteByByte: true)
    }
}
