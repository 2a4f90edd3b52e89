import Testing

/// Requests that would pass without a key if they were preflights, and upgrades that are not to WebSocket.
@Suite("Hostile preflights and upgrades") struct HostilePreflightTests {
    private static let origin = "Origin: https://app.test\r\n"
    private static let asked = "Access-Control-Request-Method: POST\r\n"

    private static func options(_ lines: String, _ body: String = "", method: String = "OPTIONS") -> String {
        "\(method) /p HTTP/1.1\r\nHost: api.test\r\n\(lines)\r\n\(body)"
    }

    private static func refused(_ name: String, _ bytes: String, kept: Bool = true) -> HostileCase {
        .refused(name, bytes, 401, "key_missing", kept: kept)
    }

    static let none: [HostileCase] =
        [
            refused("OPTIONS alone", options("")), refused("no Origin", options(asked)),
            refused("no method asked for", options(origin)),
            refused("two Origins", options(origin + origin + asked)),
            refused("two methods asked for", options(origin + asked + asked)),
            refused("three Origins", options(origin + origin + origin + asked)),
            refused("two different Origins", options("\(origin)origin: https://evil.test\r\n\(asked)")),
            refused("an empty Origin", options("Origin:\r\n\(asked)")),
            refused("an empty method", options("\(origin)Access-Control-Request-Method: \r\n")),
            refused("an empty Origin and a full one", options("Origin:\r\n\(origin)\(asked)")),
            refused("Origin with underscores", options("\(origin)Access_Control_Request_Method: POST\r\n")),
            refused("only the headers asked for", options("\(origin)Access-Control-Request-Headers: X-A\r\n")),
            refused("Origin in the target", options(asked).replacing("/p", with: "/p?Origin=a")),
            refused("a body", options("\(origin)\(asked)Content-Length: 5\r\n", "hello"), kept: false),
            refused(
                "a chunked body", options("\(origin)\(asked)Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), kept: false),
            refused(
                "a body named in Connection",
                options("\(origin)\(asked)Connection: Content-Length\r\nContent-Length: 1\r\n", "x"),
                kept: false),
            refused(
                "a body and Expect", options("\(origin)\(asked)Expect: 100-continue\r\nContent-Length: 1\r\n"),
                kept: false),
        ]
        + ["GET", "HEAD", "POST", "OPTION", "OPTIONSX"].map {
            refused("method \($0)", options(origin + asked, method: $0))
        }
        + ["options", "Options"].map {
            .refused("method \($0)", options(origin + asked, method: $0), 400, "method_ambiguous", kept: true)
        } + [
            .refused("a blank before the colon", options("Origin : a\r\n\(asked)")),
            .refused("a folded Origin", options("Origin:\r\n a\r\n\(asked)")),
            .refused("a Host too many", options("Host: evil.test\r\n\(origin)\(asked)")),
            .refused("two lengths", options("\(origin)\(asked)Content-Length: 0\r\nContent-Length: 0\r\n")),
        ]

    static let anonymous: [HostileCase] =
        [
            ("as it is", ""), ("with an identity", "X-Keyward-Key-Id: me\r\nX_Keyward_Owner: me\r\n"),
            ("with a key", "X-API-Key: {key}\r\n"),
            ("with a bad key", "Authorization: Bearer no\r\n"),
            ("with two keys", "X-API-Key: {key}\r\nX-API-Key: {other}\r\n"),
            ("with an upgrade", "Connection: upgrade\r\nUpgrade: websocket\r\n"),
            ("with X-Forwarded-For", "X-Forwarded-For: 10.0.0.1\r\n"),
            ("with its fields named in Connection", "Connection: Origin, access-control-request-method\r\n"),
            ("with X-Request-Id", "X-Request-Id: mine\r\n"),
        ].map {
            .passes(
                "a preflight \($0)", options(origin + $1 + asked), as: "OPTIONS /p", origin + asked, anonymous: true)
        } + [
            .passes(
                "a preflight without a body", options("\(origin)\(asked)Content-Length: 0\r\n"), as: "OPTIONS /p",
                "\(origin)\(asked)Content-Length: 0\r\n", anonymous: true),
            .passes(
                "a preflight of everything", options(origin + asked).replacing("/p", with: "*"), as: "OPTIONS *",
                origin + asked,
                anonymous: true),
            HostileCase(
                name: "a request without key behind a preflight",
                bytes: options(origin + asked) + options("", method: "GET"),
                answers: [.upstream("/p"), .refusal(401, "key_missing")], isKept: true,
                sight: .requests(["OPTIONS /p HTTP/1.1\r\nHost: api.test\r\n\(origin)\(asked){anonymous}\r\n"])),
        ]

    private static let key = "X-API-Key: {key}\r\n"
    private static let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n"

    private static func upgrade(
        _ name: String, _ lines: String, _ seen: String = "", method: String = "GET", body: String = ""
    )
        -> HostileCase
    {
        .passes(name, options(key + lines, body, method: method), as: "\(method) /p", seen, body: body)
    }

    static let upgrades: [HostileCase] = [
        upgrade("a WebSocket", websocket, websocket),
        upgrade("one in another spelling", "connection: x,UPGRADE\r\nUpgrade: h2c, WebSocket\r\n", websocket),
        upgrade(
            "one with a settings field",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket\r\nHTTP2-Settings: AA\r\n", websocket),
        upgrade("h2c", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"),
        upgrade("TLS", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"),
        upgrade("another protocol", "Connection: Upgrade\r\nUpgrade: websocketx\r\n"),
        upgrade("an Upgrade that Connection does not name", "Upgrade: websocket\r\n"),
        upgrade("a Connection without Upgrade", "Connection: Upgrade\r\n"),
        upgrade("two words", "Connection: Upgrade\r\nUpgrade: web socket\r\n"),
        upgrade("a POST", websocket, method: "POST"), upgrade("a HEAD", websocket, method: "HEAD"),
        upgrade("a body", "\(websocket)Content-Length: 5\r\n", "Content-Length: 5\r\n", body: "hello"),
        upgrade(
            "a POST with a body", "\(websocket)Content-Length: 5\r\n", "Content-Length: 5\r\n", method: "POST",
            body: "hello"),
        upgrade(
            "a chunked body", "\(websocket)Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n",
            body: "0\r\n\r\n"),
        .passes("HTTP/1.0", "GET /p HTTP/1.0\r\nHost: api.test\r\n\(key)\(websocket)\r\n", as: "GET /p", kept: false),
        refused("a WebSocket without a key", options(websocket, method: "GET")),
        refused("h2c without a key", options("Connection: Upgrade\r\nUpgrade: h2c\r\n", method: "GET")),
        refused(
            "a WebSocket with its key elsewhere", options("\(websocket)Sec-WebSocket-Key: {key}\r\n", method: "GET")),
    ]

    @Test("a request that is not exactly a preflight needs a key", arguments: none)
    func notPreflights(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a preflight is forwarded without an identity", arguments: anonymous)
    func anonymousPreflights(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("only an upgrade to WebSocket is forwarded, and only with a key", arguments: upgrades)
    func webSocketOnly(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }
}
