import AuthKeys
import NIOHTTP1

/// A request through a proxy, and the expected result.
struct Case {
    /// The keys that the cases use.
    enum Key: CaseIterable {
        /// A key with a name that is not ASCII, an owner and scopes.
        case full
        /// A key with only a name.
        case bare
        /// A key that is limited to GET below `/reports`.
        case reader
        /// A key that is limited to POST.
        case writer
        /// A key that is limited to the address 127.0.0.2.
        case elsewhere
        case deactivated

        /// The members beside the name, as JSON.
        var members: String {
            switch self {
            case .full: #","owner":"team a","scopes":["documents:*"]"#
            case .bare, .deactivated: ""
            case .reader: #","allowed_methods":["GET"],"allowed_paths":["/reports/**"]"#
            case .writer: #","allowed_methods":["POST"]"#
            case .elsewhere: #","allowed_cidrs":["127.0.0.2/32"]"#
            }
        }
    }

    enum Expectation {
        /// The API receives the request unchanged, with the identity of this key; without one for a preflight.
        case passed(Key?)
        case refused(Int, String)
        /// The request is refused with any 4xx status. Otherwise the API receives it under an unambiguous path that the
        /// rule of `reader` allows.
        case refusedOrHarmless
    }

    var method: HTTPMethod = .GET
    var target: String
    var key: Key?
    /// The header field that carries the key.
    var field = "Authorization"
    var headers: [(String, String)] = []
    var body = ""
    var source = "127.0.0.1"
    var expected: Expectation

    /// The value of Keyward's setting for required scopes.
    static let rule = "* /admin/**=admin"

    private static let preflight = [("Origin", "https://web.test"), ("Access-Control-Request-Method", "PUT")]

    /// Fields in which a client claims another method, path or address.
    private static let untrue = [
        ("X-Original-Method", "GET"), ("X-Original-URI", "/reports/1"), ("X-Original-URL", "http://api.test/reports/1"),
        ("X-Forwarded-Method", "GET"), ("x-forwarded-uri", "/reports/1"), ("X-Forwarded-For", "127.0.0.2"),
        ("X-Real-IP", "127.0.0.2"), ("Forwarded", "for=127.0.0.2"), ("X_Forwarded_For", "127.0.0.2"),
        ("X-Envoy-External-Address", "127.0.0.2"), ("X-Envoy-Original-Path", "/reports/1"),
    ]

    /// Fields in which a client claims an identity.
    private static let spoofed = [
        ("X-Keyward-Key-Id", "evil"), ("x-keyward-key-id", "evil"), ("X-KEYWARD-KEY-NAME", "evil"),
        ("X-Keyward-Owner", "evil"), ("X-Keyward-Scopes", "evil"), ("X_Keyward_Key_Id", "evil"),
        ("X-Keyward_Owner", "evil"), ("X.Keyward.Owner", "evil"), ("X!Keyward~Scopes", "evil"),
    ]

    /// Fields that the gateway removes: those from which some servers take another path, method, host or address than
    /// the one that was authorized, and the request id for logs.
    private static let misleading = [
        "X-Original-URL", "X-Original-URI", "X-Original-Path", "X-Original-Host", "X-Original-Method", "x-rewrite-url",
        "X-Rewrite-URI", "X-Override-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override",
        "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Prefix", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Proto", "X-Forwarded-For",
        "X-Real-IP", "Forwarded", "X-Request-Id", "Proxy-Authorization", "X_Original_URL", "X.Rewrite.URL",
        "X_HTTP_Method", "X_Forwarded_For", "X.Forwarded.Uri", "X_Real_IP", "X_Request_Id", "X.Request.Id",
    ].map { ($0, "/evil") }

    static let all: [Case] =
        [
            // Keys.
            Case(target: "/hello?x=1&y=%2F", key: .full, expected: .passed(.full)),
            Case(target: "/hello", key: .full, field: "X-API-Key", expected: .passed(.full)),
            Case(method: .HEAD, target: "/hello", expected: .refused(401, "")),
            Case(method: .DELETE, target: "/hello", key: .bare, expected: .passed(.bare)),
            Case(target: "/hello", expected: .refused(401, "key_missing")),
            Case(target: "/hello", headers: [("X-API-Key", "junk")], expected: .refused(401, "key_malformed")),
            Case(
                target: "/hello", headers: [("Authorization", "Bearer \(unknown)")],
                expected: .refused(401, "key_unknown")),
            Case(target: "/hello", key: .deactivated, expected: .refused(401, "key_inactive")),
            Case(
                target: "/hello", key: .full, headers: [("X-API-Key", unknown)],
                expected: .refused(403, "ambiguous_credentials")),
            // Scopes, methods and paths.
            Case(target: "/admin/users", key: .full, expected: .refused(403, "scope_missing")),
            Case(target: "/reports/2026%20a?next=/secret", key: .reader, expected: .passed(.reader)),
            Case(target: "/secret?/reports/1", key: .reader, expected: .refused(403, "path_not_allowed")),
            Case(method: .POST, target: "/reports/1", key: .reader, expected: .refused(403, "method_not_allowed")),
            Case(target: "/", key: .writer, expected: .refused(403, "method_not_allowed")),
            Case(
                method: .POST, target: "/", key: .writer, body: String(repeating: "b", count: 200_000),
                expected: .passed(.writer)),
            // Fields that only the proxy may set.
            Case(target: "/secret", key: .reader, headers: untrue, expected: .refused(403, "path_not_allowed")),
            Case(
                method: .POST, target: "/reports/1", key: .reader, headers: untrue, body: "b",
                expected: .refused(403, "method_not_allowed")),
            Case(target: "/", key: .elsewhere, headers: untrue, expected: .refused(403, "ip_not_allowed")),
            Case(target: "/", key: .elsewhere, source: "127.0.0.2", expected: .passed(.elsewhere)),
            Case(target: "/", key: .elsewhere, headers: untrue, source: "127.0.0.2", expected: .passed(.elsewhere)),
            Case(target: "/", key: .full, headers: untrue, expected: .passed(.full)),
            Case(target: "/", key: .full, headers: spoofed, expected: .passed(.full)),
            Case(target: "/", key: .bare, headers: spoofed, expected: .passed(.bare)),
            Case(target: "/", key: .full, headers: misleading, expected: .passed(.full)),
            Case(
                target: "/", key: .full, headers: [("Connection", "close, X-Keyward-Key-Id")],
                expected: .passed(.full)),
            Case(
                target: "/", key: .elsewhere, headers: untrue + [("Connection", "close, X-Forwarded-For")],
                expected: .refusedOrHarmless),
            // Preflights pass without an identity.
            Case(method: .OPTIONS, target: "/", headers: preflight + spoofed, expected: .passed(nil)),
            Case(method: .OPTIONS, target: "/", expected: .refused(401, "key_missing")),
            Case(target: "/", headers: preflight, expected: .refused(401, "key_missing")),
        ] + ambiguousPaths.map { Case(target: $0, key: .reader, expected: .refusedOrHarmless) }

    /// Paths with two interpretations, one of which the rule of `reader` allows.
    private static let ambiguousPaths = [
        "/reports/../secret", "/reports/./../secret", "/reports/%2e%2e/secret", "/reports/.%2E/secret",
        "/reports/..%2fsecret", "/reports%2f..%2fsecret", "/reports//../secret", "/reports/x/..%5c..%5csecret",
        "/reports/..;/secret", "/reports/..\\..\\secret", "/reports/%252e%252e/secret", "/reports/%00/../../secret",
        "//secret/../reports/1", "/secret/../reports/1", "/secret/..%2freports/1", "/%2e/secret", "//secret",
        "/reports/1/../../secret?x=/reports/", "http://api.test/secret", "http://api.test/reports/../secret",
        "/reports/../secret#/reports/1", "/secret#/../reports/1", "/reports/..%23/../secret", "/reports/1#2",
        "/reports",
    ]

    /// A well-formed token of no key.
    private static let unknown = Token.generate().value
}
