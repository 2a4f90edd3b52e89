import Testing

/// Requests whose length two parsers could determine differently (RFC 9112 section 6).
@Suite("Hostile framing") struct HostileFramingTests {
    private static let chunks = "5\r\nhello\r\n0\r\n\r\n"
    private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n\r\n"

    private static func post(_ fields: String, _ body: String, version: String = "1.1") -> String {
        "POST /p HTTP/\(version)\r\nHost: api.test\r\nX-API-Key: {key}\r\n\(fields)\r\n\r\n\(body)"
    }

    static let both: [HostileCase] = [
        .refused("CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nG")),
        .refused("TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4", "5c\r\n\(smuggled)\r\n0\r\n\r\n")),
        .refused("CL.TE that agree", post("Content-Length: 15\r\nTransfer-Encoding: chunked", chunks)),
        .refused("CL 0 and TE", post("Content-Length: 0\r\nTransfer-Encoding: chunked", chunks + smuggled)),
        .refused("CL and TE: identity", post("Content-Length: 5\r\nTransfer-Encoding: identity", "hello")),
        .refused("CL and TE: xchunked", post("Content-Length: 5\r\nTransfer-Encoding: xchunked", "hello")),
        .refused("CL and an empty TE", post("Content-Length: 5\r\nTransfer-Encoding:", "hello")),
        .refused(
            "CL, TE and the CL named",
            post(
                "Connection: Content-Length\r\nContent-Length: 4\r\n"
                    + "Transfer-Encoding: chunked", chunks)),
        .refused(
            "CL, TE and the TE named",
            post(
                "Connection: Transfer-Encoding\r\nContent-Length: 4\r\n"
                    + "Transfer-Encoding: chunked", chunks)),
        .refused("TE of HTTP/1.0", post("Transfer-Encoding: chunked", chunks, version: "1.0")),
        .refused(
            "TE and CL of HTTP/1.0", post("Content-Length: 5\r\nTransfer-Encoding: chunked", chunks, version: "1.0")),
        .refused(
            "TE of HTTP/1.0 that stays",
            post(
                "Connection: keep-alive\r\nTransfer-Encoding: chunked", chunks,
                version: "1.0")),
        .refused("TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", chunks)),
        .refused("TE, then identity", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunks)),
        .refused("identity, then TE", post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", chunks)),
        .refused("TE, then cow", post("Transfer-Encoding: chunked\r\nTransfer-encoding: cow", chunks)),
        .refused("TE, then an empty one", post("Transfer-Encoding: chunked\r\nTransfer-Encoding:", chunks)),
    ]

    static let codings: [HostileCase] = [
        "xchunked", "chunkedx", "chunk", "cow", "true", "chunked;q=1", "chunked;", "chunked,", ",chunked",
        ", chunked ,",
        "chunked, chunked", "chunked,chunked", "identity, chunked", "chunked, identity", "gzip, chunked",
        "chunked, gzip",
        "gzip", "identity", "trailers", "", " \t ", "\"chunked\"", "'chunked'", "(x) chunked", "chunked chunked",
        "chunked\tchunked", "chunked\t,", "\u{B}chunked", "chunked\u{B}", "\u{C}chunked", "chunked\u{C}",
        "\u{0}chunked",
        "chunked\u{0}", "chunked\u{7F}", "\u{A0}chunked", "chunked\u{A0}", "chunked\u{85}", "\u{EF}\u{BB}\u{BF}chunked",
        "chun\u{E2}\u{84}\u{AA}ed", "chunked\u{8}", "\r\n chunked", "\r\n\tchunked", "x\r\n chunked",
        "\rchunked", "\nchunked", "chunked\r", "chunked\n",
    ].map { .refused("Transfer-Encoding: \($0.debugDescription)", post("Transfer-Encoding: \($0)", chunks)) }

    static let names: [HostileCase] = [
        "Transfer-Encoding ", "Transfer-Encoding\t", " Transfer-Encoding", "\tTransfer-Encoding",
        "Transfer-Encoding\u{0}",
        "Transfer\u{0}-Encoding", "Transfer-Encoding\u{B}", "\u{B}Transfer-Encoding", "\u{FF}Transfer-Encoding",
        "Transfer Encoding", "Transfer-Encoding\r\n", "Transfer-Encoding\r", "X: y\rTransfer-Encoding",
        "X: y\nTransfer-Encoding", "X: y\r\r\nTransfer-Encoding", "X: y\n\rTransfer-Encoding", "\"Transfer-Encoding\"",
    ].map { .refused("\($0.debugDescription): chunked", post("Content-Length: 4\r\n\($0): chunked", chunks)) }

    static let lengths: [HostileCase] = [
        "5, 5", "5,5", "5,6", "5,", ",5", "+5", "-5", "-0", "0x5", "5h", "5.0", "5e0", "5 5", "5\t5", "5;", "5;a=b", "",
        " ", "\"5\"", "'5'", "five", "NaN", "1_0", "5\u{0}", "\u{B}5", "5\u{B}", "5\u{C}", "5\u{A0}", "\u{D9}\u{A5}",
        "\u{EF}\u{BC}\u{95}", "\u{B2}", "9223372036854775808", "18446744073709551615", "18446744073709551616",
        "18446744073709551621", "99999999999999999999", "1000000000000000000", "-9223372036854775808",
        "0000000000000000005", "\r\n 5", "\r\n\t5", "5\r\n 0", "\r5", "5\r", "5\n",
    ].map { .refused("Content-Length: \($0.debugDescription)", post("Content-Length: \($0)", "hello")) }

    static let lengthNames: [HostileCase] = [
        "Content-Length ", "Content-Length\t", " Content-Length", "Content Length", "Content-Length\u{0}",
        "\u{B}Content-Length", "Content\u{AD}-Length", "X: y\nContent-Length", "X: y\rContent-Length",
        "Content-Length: 5\r\nContent-Length", "Content-Length: 6\r\nContent-Length",
        "Content-Length: 0\r\nCONTENT-LENGTH",
        "Content-Length: 05\r\nContent-Length", "Content-Length:\r\nContent-Length",
    ].map { .refused("\($0.debugDescription): 5", post("\($0): 5", "hello")) }

    static let harmless: [HostileCase] = [
        .passes("chunked in capitals", post("TRANSFER-ENCODING: CHUNKED", chunks), chunked, body: chunks),
        .passes("chunked in both", post("transfer-encoding: cHuNkEd", chunks), chunked, body: chunks),
        .passes("blanks around chunked", post("Transfer-Encoding: \t chunked\t ", chunks), chunked, body: chunks),
        .passes("no blank before chunked", post("Transfer-Encoding:chunked", chunks), chunked, body: chunks),
        .passes(
            "TE named in Connection", post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked", chunks),
            chunked, body: chunks),
        .passes(
            "CL named in Connection", post("Connection: content-length\r\nContent-Length: 5", "hello"),
            "Content-Length: 5\r\n", body: "hello"),
        .passes(
            "Transfer_Encoding is not framing", post("Transfer_Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
            "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", body: "0\r\n\r\n"),
        .passes(
            "Content_Length is not framing", post("Content_Length: 1\r\nContent-Length: 5", "hello"),
            "Content_Length: 1\r\nContent-Length: 5\r\n", body: "hello"),
        .passes("X-Content-Length is not framing", post("X-Content-Length: 5", ""), "X-Content-Length: 5\r\n"),
        .passes(
            "zeros before a length", post("Content-Length: 0005", "hello"), "Content-Length: 0005\r\n", body: "hello"),
        .passes(
            "blanks around a length", post("Content-Length:\t5 ", "hello"), "Content-Length:\t5 \r\n", body: "hello"),
        .passes("a length of many zeros", post("Content-Length: 000", ""), "Content-Length: 000\r\n"),
        .passes(
            "TE is not framing", post("TE: chunked\r\nContent-Length: 5", "hello"), "Content-Length: 5\r\n",
            body: "hello"),
        .passes(
            "Content-Encoding is not framing", post("Content-Encoding: chunked\r\nContent-Length: 5", "hello"),
            "Content-Encoding: chunked\r\nContent-Length: 5\r\n", body: "hello"),
    ]
    private static let chunked = "Transfer-Encoding: chunked\r\n"

    @Test("a request with two framings is refused", arguments: both)
    func twoFramings(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a transfer coding other than a single chunked is refused", arguments: codings)
    func transferCodings(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a misspelled Transfer-Encoding field is refused", arguments: names)
    func transferEncodingNames(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a Content-Length that is not a plain number is refused", arguments: lengths)
    func contentLengths(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a Content-Length that is misspelled or duplicated is refused", arguments: lengthNames)
    func contentLengthNames(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("unambiguous framing is forwarded", arguments: harmless)
    func harmlessFraming(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("framing is treated equally when it arrives byte by byte", arguments: both + harmless)
    func byteByByte(_ hostile: HostileCase) async throws {
        try await run(hostile, byteByByte: true)
    }
}
