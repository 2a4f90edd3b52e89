import AuthKeys
import Gateway
import TestSupport
import Testing

/// The restrictions of a key at the gateway, for requests of every protocol.
@Suite("Policies at the gateway") struct PolicyTests {
    private func options(
        notBefore: Timestamp? = nil, cidrs: [String] = [], methods: [String] = [], paths: [String] = [],
        reportOnly: [String] = [], scopes: String = "", require: [String] = []
    ) throws -> HarnessOptions {
        let policy = KeyPolicy(
            notBefore: notBefore, cidrs: cidrs, methods: methods, paths: paths, reportOnly: reportOnly)
        var options = HarnessOptions(scopes: scopes, policy: try #require(policy))
        options.configuration.scopes = ScopeRules(try require.map { try #require(ScopeRules.Rule($0)) })
        return options
    }

    private func ok() async throws -> RawUpstream {
        try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }
    }

    private func send(_ line: String, _ gateway: GatewayHarness, _ more: String = "") async throws -> RawResponse {
        try await gateway.exchange(
            "\(line) HTTP/1.1\r\nHost: api.test\r\n\(gateway.bearer)\(more)\r\n", toHead: line.hasPrefix("HEAD"))
    }

    @Test("requests with a forbidden method or path are not forwarded") func methodsAndPaths() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options(methods: ["GET"], paths: ["/v1/*", "/health"])) {
            gateway async throws in
            for line in ["GET /v1/a", "HEAD /v1/a?x=/../", "GET /health/", "GET /%76%31/a", "GET http://x.test/v1/a"] {
                #expect(try await send(line, gateway).status == 200, "\(line)")
            }
            let seen = upstream.requests.count
            for (line, status, code) in [
                ("POST /v1/a", 403, "method_not_allowed"), ("get /v1/a", 400, "method_ambiguous"),
                ("GET /v1", 403, "path_not_allowed"), ("GET /v1/a/b", 403, "path_not_allowed"),
                ("GET /V1/a", 403, "path_not_allowed"), ("GET http://x.test", 403, "path_not_allowed"),
                ("GET /v1/..", 400, "path_ambiguous"), ("GET /v1/%2e%2e/admin", 400, "path_ambiguous"),
                ("GET /v1//a", 400, "path_ambiguous"), ("GET /v1/a;x", 400, "path_ambiguous"),
                ("GET /v1/a%2fb", 400, "path_ambiguous"), ("GET /v1/a\\b", 400, "path_ambiguous"),
                ("GET /v1/a%00", 400, "path_ambiguous"), ("GET /v1/%252e%252e/a", 400, "path_ambiguous"),
                ("GET /v1/%25%32%65", 400, "path_ambiguous"), ("GET /v1/%2%65", 400, "path_ambiguous"),
            ] {
                let response = try await send(line, gateway)
                #expect(response.status == status, "\(line)")
                #expect(response.text.contains("\"code\":\"\(code)\""), "\(line): \(response.text)")
                #expect(response["www-authenticate"].isEmpty, "\(line)")
            }
            #expect(upstream.requests.count == seen)
        }
    }

    @Test("a refusal for a permission keeps the connection, and has the type permission_error")
    func permissionError() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options(methods: ["GET"])) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send("DELETE / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)\r\n" + gateway.get())
            let refused = try await client.response()
            #expect(refused.status == 403 && refused.text.contains("\"type\":\"permission_error\""))
            #expect(try await client.response().status == 200)
        }
    }

    @Test("scopes are required as configured, and the refusal names them") func scopes() async throws {
        let upstream = try await ok()
        let rules = ["GET /docs/*=docs:read", "* /docs/**=docs:write docs:admin"]
        try await withGateway(before: upstream, options: options(scopes: "docs:read other", require: rules)) {
            gateway async throws in
            #expect(try await send("GET /docs/1", gateway).status == 200)
            #expect(try await send("HEAD /%64ocs/1", gateway).status == 200)
            #expect(try await send("GET /elsewhere", gateway).status == 200)
            let seen = upstream.requests.count
            let refused = try await send("PUT /docs/1", gateway)
            #expect(refused.status == 403)
            let challenge = refused["www-authenticate"].first ?? ""
            #expect(challenge.contains("error=\"insufficient_scope\""))
            #expect(challenge.contains("scope=\"docs:write docs:admin\""))
            #expect(refused.text.contains("\"code\":\"scope_missing\""))
            for line in [
                "GET /docs/../docs/1", "GET //docs/1", "GET /docs%2f1", "GET /x/%25%32%65%25%32%65/docs/1",
                "put /docs/1",
            ] {
                #expect(try await send(line, gateway).status == 400, "\(line)")
            }
            #expect(upstream.requests.count == seen)
            let anonymous = try await gateway.exchange("GET /docs/1 HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(anonymous.status == 401)
        }
    }

    @Test("the client's address is checked, and only trusted proxies report it") func address() async throws {
        let upstream = try await ok()
        try await withGateway(before: upstream, options: options(cidrs: ["203.0.113.0/24"])) { gateway async throws in
            for more in ["", "X-Forwarded-For: 203.0.113.7\r\n", "X-Real-IP: 203.0.113.7\r\n"] {
                let refused = try await send("GET /", gateway, more)
                #expect(refused.status == 403 && refused.text.contains("ip_not_allowed"), "\(more)")
            }
            #expect(upstream.requests.isEmpty)
        }
        let trusting = try options(cidrs: ["203.0.113.0/24", "2001:db8::/32"])
            .with(\.trustedProxies, [try #require(IPNetwork("127.0.0.0/8")), try #require(IPNetwork("10.0.0.0/8"))])
        let second = try await ok()
        try await withGateway(before: second, options: trusting) { gateway async throws in
            for (value, status) in [
                ("203.0.113.7", 200), ("203.0.113.7:443", 200), ("[2001:db8::1]:443", 200),
                ("203.0.113.7, 10.0.0.9", 200),
                ("198.51.100.1, 203.0.113.7", 200), ("203.0.113.7, 198.51.100.1", 403), ("203.0.113.7, junk", 403),
                ("junk", 403), ("10.0.0.9", 403),
            ] {
                let response = try await send("GET /", gateway, "X-Forwarded-For: \(value)\r\n")
                #expect(response.status == status, "\(value)")
            }
            #expect(try await send("GET /", gateway).status == 403)
            let two = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 198.51.100.1\r\n"
            #expect(try await send("GET /", gateway, two).status == 403)
        }
    }

    @Test("a key is refused before its start time") func notBefore() async throws {
        let upstream = try await ok()
        let soon = Timestamp.now.advanced(by: .milliseconds(600))
        try await withGateway(before: upstream, options: options(notBefore: soon)) { gateway async throws in
            let early = try await send("GET /", gateway)
            #expect(early.status == 401 && early.text.contains("key_not_yet_valid"))
            #expect(early["www-authenticate"].first?.contains("error=\"invalid_token\"") == true)
            try await Task.sleep(for: .milliseconds(700))
            #expect(try await send("GET /", gateway).status == 200)
        }
    }

    @Test("a report-only restriction admits the request") func reportOnly() async throws {
        let upstream = try await ok()
        let reporting = try options(
            methods: ["POST"], paths: ["/v1"], reportOnly: ["allowed_methods", "allowed_paths"])
        try await withGateway(before: upstream, options: reporting) { gateway async throws in
            #expect(try await send("GET /v2/../x", gateway).status == 200)
        }
    }

    @Test("an exchange ends when its key no longer permits it") func changedPolicy() async throws {
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(gateway.get("/events"))
            try await eventually("the stream") { client.text.contains("event") }
            gateway.apply(.active, policy: try #require(KeyPolicy(paths: ["/events"])))
            try await Task.sleep(for: .milliseconds(500))
            #expect(!client.isClosed)
            gateway.apply(.active, policy: try #require(KeyPolicy(paths: ["/other"])))
            try await eventually("the reset", within: .seconds(1)) { client.wasReset }
        }
    }

    @Test("HTTP/2 requests and upgrades are checked against the same policy") func otherProtocols() async throws {
        let upstream = try await ok()
        let files = try TLSTests.Files()
        let limited = try options(methods: ["GET"], paths: ["/v1/*"]).with(\.certificate, files.certificate)
        try await withGateway(before: upstream, options: limited) { gateway async throws in
            let client = try await HTTP2Client.connect(port: gateway.port)
            func status(_ method: String, _ path: String) async throws -> String? {
                try await client.exchange([
                    (":method", method), (":path", path), (":scheme", "https"), (":authority", "api.test"),
                    ("authorization", "Bearer \(gateway.token.value)"),
                ]).status
            }
            #expect(try await status("GET", "/v1/a") == "200")
            #expect(try await status("POST", "/v1/a") == "403")
            #expect(try await status("GET", "/v2") == "403")
            #expect(try await status("GET", "/v1/../v1/a") == "400")
            await client.close()
        }
        let second = try await ok()
        try await withGateway(before: second, options: options(paths: ["/v1/*"])) { gateway async throws in
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            #expect(try await send("GET /socket", gateway, upgrade).status == 403)
            #expect(second.requests.isEmpty)
        }
    }
}
