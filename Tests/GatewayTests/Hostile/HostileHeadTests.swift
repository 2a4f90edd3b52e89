import Testing

/// Heads that two parsers could split into lines and fields differently (RFC 9112 sections 2 and 5).
@Suite("Hostile heads") struct HostileHeadTests {
    private static let start = "GET /p HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n"
    private static let smuggled = "GET /smuggled HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n\r\n"

    private static func get(_ lines: String) -> String { "\(start)\(lines)\r\n" }

    /// A head with the given line ends.
    private static func head(
        _ line: String = "\r\n", _ host: String = "\r\n", _ key: String = "\r\n", _ end: String = "\r\n"
    )
        -> String
    { "GET /p HTTP/1.1\(line)Host: api.test\(host)X-API-Key: {key}\(key)\(end)" }

    static let lineEnds: [HostileCase] = ["\n", "\r", "\r\r\n", "\n\r", "\n\r\n", "\0\r\n"].flatMap { end in
        let name = end.debugDescription
        return [
            HostileCase.refused("\(name) after the request line", head(end) + smuggled),
            .refused("\(name) after Host", head("\r\n", end) + smuggled),
            .refused("\(name) after the key", head("\r\n", "\r\n", end + "X: 1\r\n") + smuggled),
            .refused("\(name) for the empty line", head("\r\n", "\r\n", "\r\n", end) + smuggled),
        ]
    }
    static let otherEnds: [HostileCase] = [
        .refused("CRLF LF after the request line", head("\r\n\n") + smuggled),
        .refused("CRLF LF after Host", head("\r\n", "\r\n\n") + smuggled),
        .refused("a C1 line end after the request line", head("\u{85}") + smuggled),
        .refused("bare LF everywhere", head("\n", "\n", "\n", "\n")),
        .refused("bare CR everywhere", head("\r", "\r", "\r", "\r") + "\r\n\r\n"),
        .refused("CR CR LF everywhere", head("\r\r\n", "\r\r\n", "\r\r\n", "\r\r\n") + "\r\n\r\n"),
    ]

    static let folds: [HostileCase] = [
        .refused("a fold with a space", get("X-A: 1\r\n 2\r\n")),
        .refused("a fold with a tab", get("X-A: 1\r\n\t2\r\n")),
        .refused("a fold of nothing", get("X-A: 1\r\n \r\n")),
        .refused("a fold that is a field", get("X-A: 1\r\n X-Keyward-Owner: root\r\n")),
        .refused("a folded Host", "GET /p HTTP/1.1\r\nHost:\r\n api.test\r\nX-API-Key: {key}\r\n\r\n"),
        .refused("a folded key", "GET /p HTTP/1.1\r\nHost: api.test\r\nX-API-Key:\r\n {key}\r\n\r\n"),
        .refused("a folded Bearer", "GET /p HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer\r\n {key}\r\n\r\n"),
        .refused("a blank before the first field", "GET /p HTTP/1.1\r\n Host: api.test\r\nX-API-Key: {key}\r\n\r\n"),
        .refused(
            "a tab before the first field", "GET /p HTTP/1.1\r\n\tX: 1\r\nHost: api.test\r\nX-API-Key: {key}\r\n\r\n"),
        .refused(
            "a blank line before the first field", "GET /p HTTP/1.1\r\n \r\nHost: api.test\r\nX-API-Key: {key}\r\n\r\n"),
        .refused("a blank before the colon of Host", "GET /p HTTP/1.1\r\nHost : api.test\r\nX-API-Key: {key}\r\n\r\n"),
        .refused("a tab before the colon of Host", "GET /p HTTP/1.1\r\nHost\t: api.test\r\nX-API-Key: {key}\r\n\r\n"),
        .refused(
            "a blank before the colon of the key", "GET /p HTTP/1.1\r\nHost: api.test\r\nX-API-Key : {key}\r\n\r\n"),
        .refused("a blank before a colon", get("X-A : 1\r\n")),
        .refused("an empty name", get(": 1\r\n")),
        .refused("nothing but a colon", get(":\r\n")),
        .refused("no colon", get("X-A\r\n")),
        .refused("no colon but a value", get("X-A 1\r\n")),
        .refused("a second request line", get("GET /q HTTP/1.1\r\n")),
        .refused("no fields", "GET /p HTTP/1.1\r\n\r\n"),
    ]

    private static let controls = [UInt8](0x00...0x08) + [UInt8](0x0A...0x1F) + [0x7F]
    private static let separators = [UInt8]("\t \"(),/;<=>?@[\\]{}".utf8)

    static let names: [HostileCase] = (controls + separators + [0x80, 0xA0, 0xAD, 0xFF]).map { byte in
        .refused("byte \(byte) in a name", get("X\(String(latin1: [byte]))A: 1\r\n"))
    }

    static let values: [HostileCase] = controls.flatMap { byte in
        let character = String(latin1: [byte])
        let key = "GET /p HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\(character)\r\n\r\n"
        return [
            HostileCase.refused("byte \(byte) in a value", get("X-A: a\(character)b\r\n")),
            .refused("byte \(byte) behind a value", get("X-A: a\(character)\r\n")),
            .refused("byte \(byte) behind the key", key),
        ]
    }

    static let starts: [HostileCase] = [
        ("a blank", " "), ("a tab", "\t"), ("a line feed", "\n"), ("a carriage return", "\r"), ("a zero byte", "\0"),
        ("a blank line", " \r\n"), ("two empty lines", "\r\n\r\n"), ("a byte order mark", "\u{EF}\u{BB}\u{BF}"),
        ("CR CR LF", "\r\r\n"), ("an empty line and a blank", "\r\n "), ("a field", "X: 1\r\n"),
        ("a chunk", "0\r\n\r\n"),
    ].map { .refused("\($0) before the request", $1 + get("")) }

    static let harmless: [HostileCase] = [
        .passes("an empty line before the request", "\r\n" + get(""), as: "GET /p"),
        .passes("an empty value", get("X-A:\r\nX-B: \r\n"), as: "GET /p", "X-A:\r\nX-B: \r\n"),
        .passes("a colon in a value", get("X:A: 1\r\n"), as: "GET /p", "X:A: 1\r\n"),
        .passes("tabs in a value", get("X-A: \ta\tb\t\r\n"), as: "GET /p", "X-A: \ta\tb\t\r\n"),
        .passes(
            "bytes above ASCII in a value", get("X-A: \u{80}\u{A0}\u{E9}\u{FF}\r\n"), as: "GET /p",
            "X-A: \u{80}\u{A0}\u{E9}\u{FF}\r\n"),
        .passes(
            "every character of a token in a name", get("!#$%&'*+-.^_`|~09AZaz: 1\r\n"), as: "GET /p",
            "!#$%&'*+-.^_`|~09AZaz: 1\r\n"),
        .passes(
            "what looks like a line end", get("X-A: \\r\\nX-Keyward-Owner: root\r\n"), as: "GET /p",
            "X-A: \\r\\nX-Keyward-Owner: root\r\n"),
    ]

    @Test("a line that does not end in CRLF is refused", arguments: lineEnds + otherEnds)
    func wrongLineEnds(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a folded or malformed field line is refused", arguments: folds)
    func fieldLines(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a field name with a byte that is not a token character is refused", arguments: names)
    func fieldNames(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a field value with a control character is refused", arguments: values)
    func fieldValues(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("bytes before the method of a request are refused", arguments: starts)
    func bytesBeforeMethod(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("an unambiguous head is forwarded", arguments: harmless)
    func harmlessHeads(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a hostile head is refused when it arrives byte by byte", arguments: lineEnds + otherEnds + folds + starts)
    func byteByByte(_ hostile: HostileCase) async throws {
        try await run(hostile, byteByByte: true)
    }
}
