import Testing

/// Request lines and hosts that are ambiguous about the destination of a request (RFC 9112 section 3).
@Suite("Hostile request targets") struct HostileTargetTests {
    private static let key = "X-API-Key: {key}\r\n"

    private static func request(_ line: String, _ fields: String = "Host: api.test\r\n") -> String {
        "\(line)\r\n\(fields)\(key)\r\n"
    }

    private static func get(_ target: String) -> String { request("GET \(target) HTTP/1.1") }

    static let hosts: [HostileCase] = [
        ("no Host", ""), ("an empty Host", "Host:\r\n"), ("a blank Host", "Host: \t \r\n"),
        ("two Hosts", "Host: api.test\r\nHost: evil.test\r\n"),
        ("two equal Hosts", "Host: api.test\r\nhost: api.test\r\n"),
        ("an empty second Host", "Host: api.test\r\nHost:\r\n"), ("user information", "Host: api.test@evil.test\r\n"),
        ("a name and a password", "Host: a:b@evil.test\r\n"), ("a blank within", "Host: api.test evil.test\r\n"),
        ("a tab within", "Host: api.test\tevil.test\r\n"), ("a list", "Host: api.test,evil.test\r\n"),
        ("a list with a blank", "Host: api.test, evil.test\r\n"), ("a path", "Host: api.test/evil\r\n"),
        ("a URL", "Host: http://api.test\r\n"), ("a query", "Host: api.test?evil\r\n"),
        ("a fragment", "Host: api.test#evil\r\n"), ("a backslash", "Host: api.test\\evil\r\n"),
        ("a quote", "Host: \"api.test\"\r\n"), ("angles", "Host: <script>\r\n"),
        ("a byte above ASCII", "Host: \u{E9}.test\r\n"),
        ("a caret", "Host: a^b\r\n"), ("a pipe", "Host: a|b\r\n"), ("braces", "Host: {{a}}\r\n"),
        ("a backtick", "Host: `a`\r\n"), ("a port that is not a number", "Host: api.test:http\r\n"),
        ("a port out of range", "Host: api.test:65536\r\n"), ("two ports", "Host: api.test:80:80\r\n"),
        ("a port alone", "Host: :80\r\n"), ("half a bracket", "Host: [::1\r\n"), ("no address", "Host: [api]\r\n"),
        ("what follows a bracket", "Host: [::1]a\r\n"), ("a bare address of version 6", "Host: ::1\r\n"),
        ("half an encoding", "Host: a%2\r\n"), ("an invalid encoding", "Host: a%zz\r\n"),
        ("a name too long", "Host: \(String(repeating: "a", count: 256))\r\n"),
    ].map { .refused("Host: \($0)", request("GET /p HTTP/1.1", $1)) }

    static let targets: [HostileCase] = [
        "", "*", "p", "p/q", "?q", "api.test", "api.test:443", "evil.test:80/p", "/p#f", "#f", "/p q", "/p\tq", " /p",
        "/p ",
        "/\0", "/\u{1}", "/\u{B}", "/\u{7F}", "/\u{80}", "/\u{E9}", "/p\r", "/p\n", "\\\\evil.test\\p", "\\p",
        "@evil.test/",
        ":80", "://", "http:", "http:/", "http://", "http:///p", "http:////evil.test/p", "http:/evil.test/p",
        "http:evil.test/p", "http//evil.test/p", "http://?q", "http://#f", "http://a@evil.test/p",
        "http://a:b@evil.test/p",
        "http://evil.test#f", "http://evil.test/#f", "http://evil.test\\p", "http://evil.test\\@api.test/",
        "http://evil.test,api.test/", "http://\"evil.test\"/", "http://evil.test\u{E9}/", "http://evil test/",
        "https:/evil.test", "httpx://evil.test/", "ftp://evil.test/", "file:///etc/passwd", "ws://evil.test/",
        "gopher://evil.test/", "javascript:alert(1)", "\u{B}http://evil.test/", "http\u{0}://evil.test/",
        "http\u{1A}//evil.test/",
    ].map { .refused("GET \($0.debugDescription)", get($0)) }

    static let passing: [HostileCase] = [
        "//evil.test/p", "///", "/http://evil.test/", "/..%2f..%2fetc", "/../../etc", "/%00", "/%0d%0aX:%201", "/%",
        "/%zz", "/*",
        "/a;b=c?d=e&f", "/\"<>\\^`{|}", "/?#".replacing("#", with: "%23"), "/@evil.test", "/:80", "/?http://evil.test",
    ].map { .passes("GET \($0)", get($0), as: "GET \($0)") }

    static let elsewhere: [HostileCase] = [
        .passes("an absolute form", get("http://evil.test/p"), as: "GET /p", host: "evil.test"),
        .passes("one in capitals", get("HTTP://EVIL.test/p"), as: "GET /p", host: "EVIL.test"),
        .passes("one of https", get("https://evil.test:444/p"), as: "GET /p", host: "evil.test:444"),
        .passes("one without a path", get("http://evil.test"), as: "GET /", host: "evil.test"),
        .passes("one with a query only", get("http://evil.test?q"), as: "GET /?q", host: "evil.test"),
        .passes("one with two slashes", get("http://evil.test//p"), as: "GET //p", host: "evil.test"),
        .passes(
            "one with an address", get("http://169.254.169.254/latest"), as: "GET /latest", host: "169.254.169.254"),
        .passes("one of version 6", get("http://[::1]:9090/admin"), as: "GET /admin", host: "[::1]:9090"),
        .passes("one that agrees with Host", get("http://api.test/p"), as: "GET /p"),
        .passes(
            "one with a trap in Host", request("GET http://api.test/p HTTP/1.1", "Host: evil.test\r\n"), as: "GET /p"),
        .passes(
            "OPTIONS without a path", request("OPTIONS http://evil.test HTTP/1.1"), as: "OPTIONS *", host: "evil.test"),
        .passes("OPTIONS of everything", request("OPTIONS * HTTP/1.1"), as: "OPTIONS *"),
        .refused("an absolute form without Host", request("GET http://evil.test/p HTTP/1.1", "")),
        .refused("an absolute form with two Hosts", request("GET http://a/p HTTP/1.1", "Host: a\r\nHost: a\r\n")),
        .refused("an absolute form with an invalid Host", request("GET http://a/p HTTP/1.1", "Host: a@b\r\n")),
        .refused("a key as user information", request("GET http://{key}@api.test/p HTTP/1.1")),
        .passes(
            "Host named in Connection", request("GET /p HTTP/1.1", "Connection: Host\r\nHost: api.test\r\n"),
            as: "GET /p"),
        .passes("HTTP/1.0 without Host", request("GET /p HTTP/1.0", ""), as: "GET /p", host: "{upstream}", kept: false),
        .passes(
            "HTTP/1.0 in absolute form", request("GET http://evil.test/p HTTP/1.0", ""), as: "GET /p",
            host: "evil.test",
            kept: false),
    ]

    static let versions: [HostileCase] =
        [
            "HTTP/1.1 ", " HTTP/1.1", "\tHTTP/1.1", "http/1.1", "Http/1.1", "HTTP 1.1", "HTTP/1,1", "HTTP/1", "HTTP/1.",
            "HTTP/.1",
            "HTTP/11", "HTTP/1.10", "HTTP/1.1.1", "HTTP/01.1", "HTTP/+1.1", "HTTP/-1.1", "HTTP/1.x", "HTTP/a.b",
            "HTTPS/1.1",
            "XTTP/1.1", "HTTP\\1.1", "HTTP\u{F}1.1", "HTTP/1.1\0", "HTTP/1\01", "HTTP/1.\u{B1}", "", "1.1", "RTSP/1.0",
            "ICY",
        ].map { .refused("version \($0.debugDescription)", request("GET /p \($0)")) } + [
            .refused("HTTP/0.9", "GET /p\r\n\r\n"), .refused("HTTP/0.9 with a blank", "GET /p \r\n\r\n"),
        ]
        + ["HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/0.0", "HTTP/2.1"].map {
            .refused("version \($0)", request("GET /p \($0)"), 505)
        } + [.refused("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", 505)]

    static let methods: [HostileCase] =
        [
            "", "G ET", "GE\tT", "G\0T", "GET\0", "GET:", "(GET)", "\"GET\"", "GET,POST", "GET/p", "G\u{C9}T", "G@T",
            "{GET}", "GET\\",
            String(repeating: "M", count: 33), "\u{16}\u{3}\u{1}",
        ].map { .refused("method \($0.debugDescription)", request("\($0) /p HTTP/1.1")) } + [
            .refused("CONNECT", request("CONNECT evil.test:443 HTTP/1.1"), 405),
            .refused("CONNECT to a path", request("CONNECT /p HTTP/1.1")),
            .refused("CONNECT to a URL", request("CONNECT http://evil.test/ HTTP/1.1")),
            .refused("CONNECT to everything", request("CONNECT * HTTP/1.1")),
            .refused("CONNECT without a port", request("CONNECT evil.test HTTP/1.1")),
            .refused("CONNECT with user information", request("CONNECT a@evil.test:443 HTTP/1.1")),
            .refused("CONNECT with bytes to tunnel", request("CONNECT evil.test:443 HTTP/1.1") + get("/smuggled"), 405),
            .refused(
                "CONNECT with a body", request("CONNECT a:1 HTTP/1.1", "Host: a\r\nContent-Length: 2\r\n") + "hi", 405),
            .refused("connect to an authority", request("connect evil.test:443 HTTP/1.1")),
            .refused("TRACE", request("TRACE /p HTTP/1.1"), 405),
            .refused("TRACE in absolute form", request("TRACE http://evil.test/ HTTP/1.1"), 405),
            .refused("TRACE of everything", request("TRACE * HTTP/1.1")),
        ]
        + ["get", "Get", "post", "head", "options", "connect", "trace", "Trace", "propfind", "Purge"].map {
            .refused("method \($0)", request("\($0) /p HTTP/1.1"), 400, "method_ambiguous", kept: true)
        }
        + [
            "PRI", "gets", "M", "0", "!#$%&'*+-.^_`|~",
            "PROPFIND", "GETS",
            String(repeating: "M", count: 32),
        ].map { .passes("method \($0)", request("\($0) /p HTTP/1.1"), as: "\($0) /p") }

    @Test("a Host that is not one name with an optional port is refused", arguments: hosts)
    func invalidHosts(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a target that has none of the four forms is refused", arguments: targets)
    func invalidTargets(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a path is forwarded byte for byte", arguments: passing) func paths(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a target's authority does not select the upstream", arguments: elsewhere)
    func absoluteForms(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a version other than 1.1 and 1.0 is refused", arguments: versions)
    func otherVersions(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }

    @Test("a method that is not a token, or differs from a known one only in case, is refused", arguments: methods)
    func invalidMethods(_ hostile: HostileCase) async throws {
        try await run(hostile)
    }
}
