import Testing

/// Clients that forge an identity or an address, or try to remove the fields that Keyward adds.
@Suite("Hostile identity fields") struct HostileIdentityTests {
    private static func get(_ lines: String) -> String {
        "GET /p HTTP/1.1\r\nHost: api.test\r\nX-API-Key: {key}\r\n\(lines)\r\n"
    }

    private static func stripped(_ name: String, _ lines: String) -> HostileCase {
        .passes(name, get("X-First: 1\r\n\(lines)X-Last: 1\r\n"), as: "GET /p", "X-First: 1\r\nX-Last: 1\r\n")
    }

    private static func kept(_ line: String) -> HostileCase {
        .passes(line, get("\(line)\r\n"), as: "GET /p", "\(line)\r\n")
    }

    static let spellings: [HostileCase] = [
        "X-Keyward-Key-Id", "x-keyward-key-id", "X-KEYWARD-KEY-ID", "x-KeYwArD-kEy-Id", "X_Keyward_Key_Id",
        "x_keyward_key_id",
        "X.Keyward.Key.Id", "X-Keyward_Key.Id", "X_Keyward-Key-Id", "X-Keyward.Key-Id", "X-Keyward-Key-Name",
        "X-Keyward-Owner",
        "X_KEYWARD_OWNER", "X-Keyward-Scopes", "x.keyward.scopes", "X-Keyward-", "X-Keyward-New", "X-Keyward--Key-Id",
        "X-Request-Id", "x-request-id", "X-REQUEST-ID", "X_Request_Id", "X.Request.Id", "X-Request_Id",
        "X-Forwarded-For",
        "x-forwarded-for", "X_Forwarded_For", "X.Forwarded.For", "X-Forwarded_For", "X-Forwarded-Proto",
        "X_FORWARDED_PROTO",
        "X-Forwarded-Host", "X-Forwarded.Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-", "Forwarded", "FORWARDED", "X-Real-IP", "X-Real-Ip",
        "x_real_ip",
        "X.REAL.IP",
    ].map { stripped($0, "\($0): spoofed\r\n\($0):\tspoofed \r\n") }

    static let overrides: [HostileCase] = [
        "X-Original-URL", "x-original-url", "X_Original_Url", "X.Original.URL", "X-Original-URI", "X-Original-Path",
        "X-Original-Host", "X-Original-Method", "X-Rewrite-URL", "X_REWRITE_URL", "X-Rewrite-Uri", "X-Override-URL",
        "X-HTTP-Method-Override", "x_http_method_override", "X-HTTP-Method", "X-Method-Override",
    ].map { stripped($0, "\($0): /admin\r\n\($0):\tDELETE \r\n") }

    static let named: [HostileCase] = [
        "X-Keyward-Key-Id", "x-keyward-key-name", "X-Request-Id", "X-Forwarded-For", "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "Forwarded", "Host", "Connection", "close-not", "\"X-Keyward-Key-Id\"", "X-Keyward-*", "*", ",,,",
        "X-Keyward-Key-Id;q=1",
        "X_Keyward_Key_Id", "Authorization", "X-API-Key", "Transfer-Encoding", "Content-Length",
        "keep-alive, X-Keyward-Key-Id",
    ].map { stripped("Connection: \($0)", "Connection: \($0)\r\nX-Keyward-Key-Id: spoofed\r\n") }

    static let disguises: [HostileCase] = [
        "X-Keyward-Key-Id ", "X-Keyward-Key-Id\t", " X-Keyward-Key-Id", "\tX-Keyward-Key-Id", "X-Keyward-Key-Id\0",
        "X-Keyward-Key-Id\u{B}", "X\u{AD}-Keyward-Key-Id", "X-Keyward-Key-Id\r", "X Keyward Key Id",
        "X: y\rX-Keyward-Key-Id",
        "X: y\nX-Keyward-Key-Id", "X: y\r\n X-Keyward-Key-Id", "X:\r\n\tX-Keyward-Key-Id", "\"X-Keyward-Key-Id\"",
        "X-Keyward-Key-Id(a)", "X-Keyward-Key-Id:\r\n ", "X-Forwarded-For ", "X-Forwarded-For\t", "X-Request-Id ",
        "Forwarded ",
    ].map { .refused($0.debugDescription, get("\($0): spoofed\r\n")) }

    static let hops: [HostileCase] =
        [
            "Keep-Alive: timeout=1000", "Proxy-Connection: keep-alive", "Proxy-Authorization: Bearer {other}",
            "Proxy-Authenticate: Basic", "TE: gzip", "Upgrade: h2c", "Upgrade: TLS/1.0",
            "Connection: X-Hop\r\nX-Hop: 1",
            "Connection: x-hop\r\nX-HOP: 1\r\nx-hop: 2", "X-Hop: 1\r\nConnection: X-Hop",
            "Connection: a, X-Hop ,b\r\nX-Hop: 1",
            "Connection:X-Hop\r\nX-Hop: 1", "Connection: HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
            "Connection: Cookie\r\nCookie: a=b", "Connection: Keep-Alive", "connection: TE\r\nte: trailersx",
        ].map { stripped($0.debugDescription, "\($0)\r\n") } + [
            .passes(
                "TE: gzip, trailers", get("TE: gzip, Trailers\r\n"), as: "GET /p", "Connection: TE\r\nTE: trailers\r\n")
        ]

    static let others: [HostileCase] = [
        "X-Keyward: 1", "XX-Keyward-Key-Id: 1", "X-KeywardKey-Id: 1", "Keyward-Key-Id: 1", "X-Request-Ids: 1",
        "X-Request: 1",
        "X-Forwarded: 1", "Forwarded-For: 1", "X-Real-IPs: 1", "True-Client-IP: 1", "Via: 1.1 proxy",
        "X-Original: /admin", "X-Original-URLs: /admin", "X-Original-Filename: a", "X-Rewrite: /admin",
        "X-HTTP: DELETE",
        "X-Hop: 1", "Max-Forwards: 0",
        "Expect: 100-continue",
        "Range: bytes=0-", "Cookie: X-Keyward-Key-Id=1", "Trailer: X-Keyward-Key-Id",
    ].map { kept($0) }

    @Test("a field that resembles one of Keyward's own is removed", arguments: spellings)
    func reservedNames(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a field that some servers use instead of the request line is removed", arguments: overrides)
    func requestOverrides(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a Connection field cannot remove Keyward's own fields", arguments: named)
    func namedInConnection(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("an identity field with a malformed name is refused", arguments: disguises)
    func malformedNames(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a field of one connection is not forwarded", arguments: hops)
    func hopByHop(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a field that only resembles a reserved one is forwarded unchanged", arguments: others)
    func similarNames(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }
}
