import Testing

/// Requests hidden behind, or within, other requests. The gateway treats each according to its own head, or not at all.
@Suite("Hostile pipelining") struct HostilePipelineTests {
    private static let key = "X-API-Key: {key}\r\n"
    private static let hidden = "GET /hidden HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n\r\n"
    private static let keyless = "GET /hidden HTTP/1.1\r\nHost: api.test\r\n\r\n"
    private static let length = keyless.utf8.count

    private static func request(_ line: String, _ fields: String, _ body: String = "") -> String {
        "\(line) HTTP/1.1\r\nHost: api.test\r\n\(fields)\r\n\(body)"
    }

    private static func seen(_ line: String, _ fields: String = "", _ body: String = "") -> String {
        "\(line) HTTP/1.1\r\nHost: api.test\r\n\(fields){own}\r\n\(body)"
    }

    /// A request that contains another one in its body.
    private static func holding(_ line: String, _ more: String = "", kept: Bool = true) -> HostileCase {
        let framing = "Content-Length: \(length)\r\n"
        return .passes(
            "in the body of \(line.prefix { $0 != " " }) \(more.dropLast(2))",
            request(line, key + framing + more, keyless),
            as: line, framing, body: keyless, kept: kept)
    }

    static let bodies: [HostileCase] = [
        holding("GET /p"), holding("HEAD /p"), holding("POST /p"), holding("PUT /p"), holding("DELETE /p"),
        holding("OPTIONS /p"),
        holding("GETS /p"), holding("GET /p", "Connection: keep-alive\r\n"),
        holding("GET /p", "Upgrade: websocket\r\n"),
        holding("GET /p", "Connection: close\r\n", kept: false),
        holding("POST /p", "Connection: close\r\n", kept: false),
        holding("POST /p", "Connection: Content-Length\r\n"),
        holding("GET /p", "Connection: upgrade\r\nUpgrade: h2c\r\n"),
    ]

    static let behindAnEnd: [HostileCase] = [
        .passes(
            "Connection: close", request("GET /p", key + "Connection: close\r\n") + hidden, as: "GET /p", kept: false),
        .passes(
            "close in a list", request("GET /p", key + "Connection: x, CLOSE\r\n") + hidden, as: "GET /p", kept: false),
        .passes(
            "close and keep-alive", request("GET /p", key + "Connection: keep-alive, close\r\n") + hidden, as: "GET /p",
            kept: false),
        .passes(
            "close in a second line",
            request("GET /p", key + "Connection: keep-alive\r\nConnection: close\r\n") + hidden,
            as: "GET /p", kept: false),
        .passes(
            "a HEAD that closes", request("HEAD /p", key + "Connection: close\r\n") + hidden, as: "HEAD /p", kept: false
        ),
        .passes("HTTP/1.0", "GET /p HTTP/1.0\r\nHost: api.test\r\n\(key)\r\n\(hidden)", as: "GET /p", kept: false),
        .refused("a refused body", request("POST /p", "Content-Length: 5\r\n", "hello") + hidden, 401, "key_missing"),
        .refused(
            "a refused body that is a request", request("POST /p", "Content-Length: \(length)\r\n", keyless) + hidden,
            401, "key_missing"),
        .refused(
            "a refused body that never comes", request("POST /p", "Content-Length: 1000000\r\n") + hidden, 401,
            "key_missing"),
        .refused(
            "a refused chunked body", request("POST /p", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n") + hidden, 401,
            "key_missing"),
        .refused(
            "a refused body of GET", request("GET /p", "Content-Length: 5\r\n", "hello") + hidden, 401, "key_missing"),
        .refused(
            "a refused body of HEAD", request("HEAD /p", "Content-Length: 5\r\n", "hello") + hidden, 401, "key_missing"),
        .refused(
            "a bad key and Expect",
            request("POST /p", "X-API-Key: no\r\nExpect: 100-continue\r\nContent-Length: 5\r\n")
                + hidden, 401, "key_malformed"),
        .refused(
            "no key and Expect", request("POST /p", "Expect: 100-continue\r\nContent-Length: 5\r\n") + hidden, 401,
            "key_missing"),
        .refused(
            "two keys and a body", request("POST /p", "\(key)\(key)Content-Length: 5\r\n", "hello") + hidden, 400,
            "ambiguous_credentials"),
        .refused("a refusal that closes", request("GET /p", "Connection: close\r\n") + hidden, 401, "key_missing"),
        .refused("a TRACE", request("TRACE /p", key) + hidden, 405),
        .refused("a malformed head", request("GET /p", "\(key)X : 1\r\n") + hidden),
        .refused("another version", "GET /p HTTP/2.0\r\nHost: a\r\n\r\n" + hidden, 505),
        .broken("a broken chunk", request("POST /p", "\(key)Transfer-Encoding: chunked\r\n", "x\r\n") + hidden),
        .broken(
            "a broken trailer",
            request("POST /p", "\(key)Transfer-Encoding: chunked\r\n", "0\r\nX : 1\r\n\r\n") + hidden),
    ]

    private static func two(
        _ name: String, _ bytes: String, _ first: HostileCase.Answer, _ second: HostileCase.Answer, kept: Bool = true,
        _ requests: String...
    ) -> HostileCase {
        HostileCase(
            name: name, bytes: bytes, answers: [first, second], isKept: kept,
            sight: requests.isEmpty ? .nothing : .requests(requests))
    }

    static let rows: [HostileCase] = [
        two(
            "no key behind a key", request("GET /p", key) + keyless, .upstream("/p"), .refusal(401, "key_missing"),
            seen("GET /p")),
        two(
            "a key behind no key", keyless + hidden, .refusal(401, "key_missing"), .upstream("/hidden"),
            seen("GET /hidden")),
        two("no key twice", keyless + keyless, .refusal(401, "key_missing"), .refusal(401, "key_missing")),
        two(
            "a HEAD without key, then a key", request("HEAD /p", "") + hidden, .refusal(401, "key_missing"),
            .upstream("/hidden"),
            seen("GET /hidden")),
        two(
            "two bodies",
            request("POST /p", key + "Content-Length: 2\r\n", "ab")
                + request("PUT /q", key + "Content-Length: 1\r\n", "c"),
            .upstream("/p"), .upstream("/q"), seen("POST /p", "Content-Length: 2\r\n", "ab"),
            seen("PUT /q", "Content-Length: 1\r\n", "c")),
        two(
            "a body of nothing", request("POST /p", key + "Content-Length: 0\r\n") + hidden, .upstream("/p"),
            .upstream("/hidden"),
            seen("POST /p", "Content-Length: 0\r\n"), seen("GET /hidden")),
        two(
            "a body longer than it says", request("POST /p", key + "Content-Length: 1\r\n", "x") + keyless,
            .upstream("/p"),
            .refusal(401, "key_missing"), seen("POST /p", "Content-Length: 1\r\n", "x")),
        two(
            "garbage behind a body", request("POST /p", key + "Content-Length: 1\r\n", "xy\r\n\r\n"), .upstream("/p"),
            .refusal(400, nil), kept: false, seen("POST /p", "Content-Length: 1\r\n", "x")),
        two(
            "a bare line feed behind a head", request("GET /p", key) + "\n" + hidden, .upstream("/p"),
            .refusal(400, nil), kept: false,
            seen("GET /p")),
        two(
            "an identity from the one before", request("GET /p", key) + request("GET /q", "X-Keyward-Key-Id: me\r\n"),
            .upstream("/p"), .refusal(401, "key_missing"), seen("GET /p")),
        two(
            "an upgrade that the upstream declines",
            request("GET /p", key + "Connection: upgrade\r\nUpgrade: websocket\r\n") + keyless,
            .upstream("/p"), .refusal(401, "key_missing"),
            seen("GET /p", "Connection: Upgrade\r\nUpgrade: websocket\r\n")),
        two(
            "an upgrade to h2c and its preface",
            request("GET /p", key + "Connection: upgrade\r\nUpgrade: h2c\r\n")
                + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .upstream("/p"), .refusal(505, nil), kept: false, seen("GET /p")),
        two(
            "an empty line between", request("GET /p", key) + "\r\n" + hidden, .upstream("/p"), .upstream("/hidden"),
            seen("GET /p"),
            seen("GET /hidden")),
        two(
            "two empty lines between", request("GET /p", key) + "\r\n\r\n" + hidden, .upstream("/p"),
            .refusal(400, nil), kept: false,
            seen("GET /p")),
        two(
            "a chunked body and more",
            request("POST /p", key + "Transfer-Encoding: chunked\r\n", "0\r\n\r\n") + keyless,
            .upstream("/p"), .refusal(401, "key_missing"),
            seen("POST /p", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    ]

    @Test("a body is not parsed as a request", arguments: bodies)
    func requestInBody(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("nothing is processed after the last response", arguments: behindAnEnd)
    func afterLastResponse(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("each request is evaluated by its own head", arguments: rows)
    func pairs(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }
}
