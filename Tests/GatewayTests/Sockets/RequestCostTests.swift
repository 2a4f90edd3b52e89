import AuthKeys
import Gateway
import Logging
import TestSupport
import Testing

/// The cost of requests: by rules before they are sent, and by what the upstream states afterwards.
@Suite("Costs of requests at the gateway") struct RequestCostTests {
    private let clock = ManualClock()

    /// A key with 1,000 units, which do not return unless the test advances the clock.
    private func options(
        rules: [String] = [], header: String? = nil, usage: String? = nil, limit: Int64 = 1_000,
        per period: Duration = .seconds(1_000)
    ) throws -> HarnessOptions {
        let rule = try #require(LimitRule("units", .rate(period: period, burst: limit), limit: limit))
        var options = HarnessOptions(policy: try #require(KeyPolicy(limits: [rule])))
        options.limiter = Limiter(time: clock.source)
        options.configuration.costs = CostRules(
            try (rules + ["GET /left=0"]).map { try #require(CostRules.Rule($0)) })
        options.configuration.costField = try header.map { try #require(CostField($0)) }
        options.configuration.costUsage = try usage.map { try #require(UsageMember($0)) }
        return options
    }

    /// An upstream with a response for each path.
    private func upstream(_ replies: [String: String]) async throws -> RawUpstream {
        try await RawUpstream { request in
            let path = String(request.head.split(separator: " ")[1])
            return .send(replies[path] ?? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        }
    }

    private static func response(_ fields: String, _ body: String = "ok") -> String {
        "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func left(of response: RawResponse) -> Int? {
        response["RateLimit"].first?.firstMatch(of: /r=(\d+)/).flatMap { Int($0.1) }
    }

    /// Returns the units that are left, by a request that costs nothing.
    private func left(_ gateway: GatewayHarness) async throws -> Int? {
        left(of: try await gateway.exchange(gateway.get("/left")))
    }

    /// Expects the units that are left, up to a second after an exchange that ended.
    private func expectLeft(_ expected: Int, _ gateway: GatewayHarness, after path: String) async throws {
        var found: Int?
        for _ in 0..<50 where found != expected {
            found = try await left(gateway)
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(found == expected, "\(path)")
    }

    @Test("rules give the cost of a request, and the fields state what is left at its admission")
    func rules() async throws {
        let options = try options(rules: ["POST /v1/images/**=10", "* /v1/**=3"])
        try await withGateway(before: upstream([:]), options: options) { gateway async throws in
            let client = try await connect(port: gateway.port)
            for (method, path, expected) in [
                ("POST", "/v1/images/a", 990), ("GET", "/v1/images/a", 987), ("GET", "/", 986), ("GET", "/left", 986),
                ("POST", "/v1//images", 976),
            ] {
                try await client.send("\(method) \(path) HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\r\n")
                let response = try await client.response()
                #expect(response.status == 200 && left(of: response) == expected, "\(method) \(path)")
            }
            await client.close()
        }
    }

    @Test("a response field states the actual cost, and does not reach the client")
    func header() async throws {
        let replies = [
            "/more": Self.response("X-Cost: 30\r\nX-Costs: 1\r\n"), "/less": Self.response("A: b\r\nx-cOST:\t3 \r\n"),
            "/none": Self.response("X-Cost: 0\r\n"),
            "/error": "HTTP/1.1 500 No\r\nX-Cost: 5\r\nContent-Length: 0\r\n\r\n",
            "/interim": "HTTP/1.1 103 Hints\r\nX-Cost: 99\r\nLink: </a>\r\n\r\n" + Self.response("X-Cost: 6\r\n"),
        ]
        let options = try options(rules: ["* /**=10"], header: "x-Cost")
        try await withGateway(before: upstream(replies), options: options) { gateway async throws in
            var expected = 1_000
            for (path, cost) in [("/more", 30), ("/less", 3), ("/none", 0), ("/error", 5), ("/silent", 10)] {
                let response = try await gateway.exchange(gateway.get(path))
                #expect(response["X-Cost"].isEmpty && left(of: response) == expected - 10, "\(path)")
                #expect(response["X-Costs"].count == (path == "/more" ? 1 : 0))
                expected -= cost
                #expect(try await left(gateway) == expected - 10, "\(path)")
                // The question costs 10 too, by the first rule.
                expected -= 10
            }
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/interim"))
            let interim = try await client.response()
            #expect(interim.status == 103 && interim["X-Cost"].isEmpty && interim["Link"].count == 1)
            #expect(try await client.response()["X-Cost"].isEmpty)
            #expect(try await left(gateway) == expected - 6 - 10)
            await client.close()
        }
    }

    @Test(
        "an invalid cost is ignored, removed, and logged at most once a minute",
        arguments: [
            "-1", "+3", "1.5", "1e3", "", "x", "5, 6", "5 6", "0x5", "1000000001", "99999999999999999999",
            "7\r\nX-Cost: 7",
        ])
    func invalid(_ value: String) async throws {
        let lines = LogLines()
        var options = try options(header: "X-Cost")
        options.logger = Logger(label: "gateway") { _ in lines.handler }
        let upstream = try await upstream(["/a": Self.response("X-Cost: \(value)\r\nB: c\r\n")])
        try await withGateway(before: upstream, options: options) { gateway async throws in
            for _ in 0..<3 {
                let response = try await gateway.exchange(gateway.get("/a"))
                #expect(response["X-Cost"].isEmpty && response["B"] == ["c"])
            }
            #expect(try await left(gateway) == 997)
            let warnings = lines.all.filter { $0.contains("could not be read") }
            #expect(warnings.count == 1 && warnings.first?.contains("upstream=127.0.0.1") == true, "\(warnings)")
        }
    }

    @Test("without the setting, the field of an upstream is as any other")
    func unset() async throws {
        let upstream = try await upstream(["/a": Self.response("X-Cost: 30\r\n", #"{"usage":{"total_tokens":9}}"#)])
        try await withGateway(before: upstream, options: options()) { gateway async throws in
            let response = try await gateway.exchange(gateway.get("/a", "Accept-Encoding: gzip\r\n"))
            #expect(response["X-Cost"] == ["30"])
            #expect(try await left(gateway) == 999)
            #expect(upstream.requests.first?["Accept-Encoding"] == ["gzip"])
        }
    }

    @Test("a trailer states the actual cost, over a field of the head, on both versions")
    func trailer() async throws {
        let replies = [
            "/t": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Cost: 9\r\n\r\n2\r\nok\r\n0\r\nX-A: 1\r\n"
                + "x-cost: 40\r\nX-B: 2\r\n\r\n",
            "/only": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Cost: 5\r\n\r\n",
            "/bad": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Cost: 7\r\n\r\n0\r\nX-Cost: no\r\n\r\n",
        ]
        let files = try TLSTests.Files()
        let options = try options(header: "X-Cost").with(\.certificate, files.certificate)
        try await withGateway(before: upstream(replies), options: options) { gateway async throws in
            func left() async throws -> Int? {
                let client = try await connectTLS(port: gateway.port)
                try await client.send(gateway.get("/left"))
                defer { client.reset() }
                return self.left(of: try await client.response())
            }
            let client = try await connectTLS(port: gateway.port)
            for (path, end, cost) in [
                ("/t", "0\r\nX-A: 1\r\nX-B: 2\r\n\r\n", 40), ("/only", "2\r\nok\r\n0\r\n\r\n", 45),
                ("/bad", "\r\n\r\n0\r\n\r\n", 52),
            ] {
                try await client.send(gateway.get(path))
                try await eventually("the response to \(path)") { client.text.hasSuffix(end) }
                #expect(!client.text.lowercased().contains("x-cost"))
                #expect(try await left() == 1_000 - cost, "\(path)")
            }
            await client.close()
            let second = try await HTTP2Client.connect(port: gateway.port)
            for (path, cost) in [("/t", 40), ("/only", 45)] {
                let response = try await second.exchange(head(path, gateway))
                let names = response.heads.flatMap { head in head.map { $0.name } }
                #expect(response.body == "ok" && !names.contains("x-cost"))
                #expect(names.contains("x-a") == (path == "/t"))
                #expect(try await left() == 948 - cost, "\(path)")
            }
            await second.close()
        }
    }

    private func head(_ path: String, _ gateway: GatewayHarness) -> [(String, String)] {
        [
            (":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", path),
            ("x-api-key", gateway.token.value),
        ]
    }

    private static let json = #"{"choices":[{"text":"usage"}],"usage":{"prompt_tokens":9,"total_tokens":21}}"#
    private static let events = """
        data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n
        data: {"choices":[],"usage":{"total_tokens":21}}\n
        data: [DONE]\n\n
        """

    @Test("the usage of JSON responses and event streams is the actual cost, on both versions", arguments: [1, 2])
    func usage(version: Int) async throws {
        func chunked(_ body: String, _ type: String, size: Int) -> String {
            var rest = body[...]
            var text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: \(type)\r\n\r\n"
            while !rest.isEmpty {
                let piece = rest.prefix(size)
                rest = rest.dropFirst(piece.count)
                text += "\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n"
            }
            return text + "0\r\n\r\n"
        }
        let (json, events) = (Self.json, Self.events)
        let replies = [
            "/json": Self.response("Content-Type: application/json; charset=utf-8\r\n", json),
            "/chunks": chunked(json, "Application/JSON", size: 7),
            "/events": chunked(events, "text/event-stream", size: 11),
            "/text": Self.response("Content-Type: text/plain\r\n", json),
            "/gzip": Self.response("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", json),
            "/identity": Self.response("Content-Type: application/json\r\nContent-Encoding: identity\r\n", json),
            "/both": Self.response("Content-Type: application/json\r\nX-Cost: 4\r\n", json),
            "/invalid": Self.response("Content-Type: application/json\r\nX-Cost: no\r\n", json),
            "/without": Self.response("Content-Type: application/json\r\n", "{}"),
        ]
        let files = try TLSTests.Files()
        var options = try options(header: "X-Cost", usage: "total_tokens")
        if version == 2 { options.configuration.certificate = files.certificate }
        try await withGateway(before: upstream(replies), options: options) { gateway async throws in
            let client = version == 2 ? try await HTTP2Client.connect(port: gateway.port) : nil
            func call(_ path: String) async throws -> (body: String, left: Int?) {
                guard let client else {
                    let response = try await gateway.exchange(gateway.get(path))
                    return (response.text, left(of: response))
                }
                let response = try await client.exchange(head(path, gateway))
                let left = response["ratelimit"].first?.firstMatch(of: /r=(\d+)/).flatMap { Int($0.1) }
                return (response.body, left)
            }
            var expected = 1_000
            for (path, body, cost) in [
                ("/json", json, 21), ("/chunks", json, 21), ("/events", events, 21), ("/text", json, 1),
                ("/gzip", json, 1), ("/identity", json, 21), ("/both", json, 4), ("/invalid", json, 21),
                ("/without", "{}", 1),
            ] {
                #expect(try await call(path).body == body, "\(path)")
                expected -= cost
                #expect(try await call("/left").left == expected, "\(path)")
            }
            await client?.close()
        }
    }

    @Test("a response whose usage is read is not compressed, in whatever spelling the client asks for it")
    func identityEncoding() async throws {
        let upstream = try await upstream([:])
        try await withGateway(before: upstream, options: options(usage: "total_tokens")) { gateway async throws in
            _ = try await gateway.exchange(
                gateway.get("/a", "Accept-Encoding: gzip\r\naccept_encoding: br\r\nAccept: a/b\r\n"))
            let request = try #require(upstream.requests.first)
            #expect(request["Accept-Encoding"] == ["identity"] && request["accept_encoding"].isEmpty)
            #expect(request["Accept"] == ["a/b"])
        }
    }

    @Test("a debt refuses further requests until it is paid back")
    func debt() async throws {
        let upstream = try await upstream(["/a": Self.response("X-Cost: 25\r\n")])
        let options = try options(header: "X-Cost", limit: 10, per: .seconds(10))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            #expect(try await gateway.exchange(gateway.get("/a")).status == 200)
            for path in ["/b", "/left"] {
                let refused = try await gateway.exchange(gateway.get(path))
                #expect(refused.status == 429 && left(of: refused) == 0)
                let wait = try #require(refused["Retry-After"].first.flatMap { Int($0) })
                #expect((16...19).contains(wait), "\(wait)")
            }
            clock.advance(by: .seconds(15.5))
            #expect(try await gateway.exchange(gateway.get("/b")).status == 429)
            clock.advance(by: .seconds(1))
            #expect(try await gateway.exchange(gateway.get("/b")).status == 200)
            #expect(try await gateway.exchange(gateway.get("/b")).status == 429)
            #expect(upstream.requests.count == 2)
        }
    }

    @Test("an upstream that never got the request costs nothing")
    func unreachable() async throws {
        // The port is in use, so no other program gets it. At the neighbouring address, no program listens on it.
        let neighbour = try await RawUpstream()
        var options = try options(rules: ["* /**=50"], header: "X-Cost")
        options.upstreamHost = "127.0.0.2"
        try await withGateway(before: neighbour, options: options) { gateway async throws in
            for _ in 0..<3 {
                let response = try await gateway.exchange(gateway.get())
                #expect(response.status == 502 && left(of: response) == 950)
            }
        }
        let upstream = try await upstream([:])
        options.configuration.routes = [
            Route(prefix: "/v1", upstreams: [Upstream(host: "127.0.0.1", port: upstream.port)])
        ]
        options.limiter = Limiter(time: clock.source)
        try await withGateway(before: upstream, options: options) { gateway async throws in
            #expect(try await gateway.exchange(gateway.get("/v2")).status == 404)
            #expect(left(of: try await gateway.exchange(gateway.get("/v1"))) == 950)
        }
    }

    @Test("a request that was sent keeps its reserved cost if the upstream does not state another")
    func failed() async throws {
        let upstream = try await RawUpstream { request in
            let path = String(request.head.split(separator: " ")[1])
            return switch path {
            case "/reset": .sendThenClose("")
            case "/silent": .nothing
            case "/half": .sendThenClose("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            case "/stated": .sendThenClose("HTTP/1.1 200 OK\r\nX-Cost: 7\r\nContent-Length: 9\r\n\r\nhalf")
            default: .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        }
        let options = try options(rules: ["GET /left=0", "POST /**=50"], header: "X-Cost")
            .with(\.timeouts.responseHead, .milliseconds(200))
        try await withGateway(before: upstream, options: options) { gateway async throws in
            var expected = 1_000
            for (path, status, cost) in [
                ("/reset", 502, 50), ("/silent", 504, 50), ("/half", 0, 50), ("/stated", 0, 7),
            ] {
                let response = try? await gateway.exchange(
                    "POST \(path) HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 0\r\n\r\n")
                #expect(response?.status ?? 0 == status, "\(path)")
                expected -= cost
                try await expectLeft(expected, gateway, after: path)
            }
        }
    }

    @Test("a client that leaves early pays what was reserved, or what the response stated by then if that is more")
    func leaving() async throws {
        let stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n"
        let event = "data: {\"usage\":{\"total_tokens\":30}}\n\n"
        let upstream = try await RawUpstream { request in
            request.head.contains("/left")
                ? .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                : .send(stream + "\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n")
        }
        let options = try options(rules: ["GET /left=0", "GET /cheap=5", "GET /dear=80"], usage: "total_tokens")
        try await withGateway(before: upstream, options: options) { gateway async throws in
            var expected = 1_000
            for (path, cost) in [("/cheap", 30), ("/dear", 80)] {
                let client = try await connect(port: gateway.port)
                try await client.send(gateway.get(path))
                try await eventually("the first event") { client.text.contains("data: ") }
                client.reset()
                expected -= cost
                try await expectLeft(expected, gateway, after: path)
            }
        }
    }

    @Test("the response to an upgrade states a cost too")
    func upgrade() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { request in
            request.head.contains("/left")
                ? .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                : .send("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Cost: 60\r\n\r\n")
        }
        try await withGateway(before: upstream, options: options(header: "X-Cost")) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/chat", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
            let response = try await client.response()
            #expect(response.status == 101 && response["X-Cost"].isEmpty)
            #expect(try await left(gateway) == 940)
            await client.close()
        }
    }

    @Test("a request without a key, or of a key without limits, passes, and the field is removed")
    func unlimited() async throws {
        let replies = ["/a": Self.response("X-Cost: 5\r\nContent-Type: application/json\r\n", Self.json)]
        let options = try options(header: "X-Cost", usage: "total_tokens")
        try await withGateway(before: upstream(replies), options: options) { gateway async throws in
            let other = try await gateway.exchange("GET /a HTTP/1.1\r\nHost: a\r\n\(gateway.otherBearer())\r\n")
            #expect(other.status == 200 && other["X-Cost"].isEmpty && other.text == Self.json)
            let preflight = try await gateway.exchange(
                "OPTIONS /a HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nAccess-Control-Request-Method: GET\r\n\r\n")
            #expect(preflight.status == 200 && preflight["X-Cost"].isEmpty)
        }
    }

    @Test("a field with a meaning of its own cannot state the cost")
    func names() {
        for name in [
            "", "X Cost", "X-Cost:", "Ä", "Content-Length", "connection", "TE", "Host", "Transfer-Encoding",
            "Set-Cookie",
            "Content-Type", "content-encoding", "X-Request-Id", "x_request_id", "X-Keyward-Cost", "X-Forwarded-Cost",
            "Authorization", "RateLimit", "ratelimit-policy", "Trailer", "Location", String(repeating: "a", count: 129),
        ] {
            #expect(CostField(name) == nil, "\(name)")
        }
        for name in ["X-Cost", "cost", "x-usage_units", "Openai-Tokens"] { #expect(CostField(name) != nil, "\(name)") }
    }
}
