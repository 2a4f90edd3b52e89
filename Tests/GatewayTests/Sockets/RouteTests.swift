import Gateway
import TestSupport
import Testing

/// Several upstreams: selected by path, and balanced.
@Suite("Routes") struct RouteTests {
    private func named(_ name: String) async throws -> RawUpstream {
        try await RawUpstream { _ in .send("HTTP/1.1 200 OK\r\nContent-Length: \(name.utf8.count)\r\n\r\n\(name)") }
    }

    private func route(_ prefix: String, _ ports: Int...) -> Route {
        Route(prefix: prefix, upstreams: ports.map { Upstream(host: "127.0.0.1", port: $0) })
    }

    @Test("the longest prefix of whole segments decides") func longestPrefix() async throws {
        let (root, one, deep) = (try await named("root"), try await named("v1"), try await named("deep"))
        let options = HarnessOptions.with(
            \.routes, [route("", root.port), route("/v1/", one.port), route("/v1/deep", deep.port)])
        try await withGateway(upstream: 0, options: options) { gateway async throws in
            for (path, name) in [
                ("/", "root"), ("/v1", "v1"), ("/v1/", "v1"), ("/v1?x", "v1"), ("/v1/a", "v1"), ("/v10", "root"),
                ("/V1", "root"), ("/v1/deep", "deep"), ("/v1/deep/er", "deep"), ("/v1/deeper", "v1"),
                ("http://v1.test/v1/x", "v1"),
            ] {
                let response = try await gateway.exchange(gateway.get(path))
                #expect(response.text == name, "\(path)")
            }
            #expect(one.requests[0].head.hasPrefix("GET /v1 "))
        }
    }

    @Test(
        "a path that could be read as another route's is refused",
        arguments: [
            "/v1/../v2", "/v1/%2e%2e/v2", "/./v1", "/v1/..", "/v1%2f..%2fx", "/v1\\..\\x", "/v1/..;x=1/v2",
            "/v1/%2e.%3bx/v2",
            "/v1/%252e%252e/v2", "/v1/.%25252e/v2", "/v1%252f../x",
            "/v1/%25%32%65%25%32%65/v2", "/v1/%2%65%2e/v2", "/v1/.%%32%65/v2",
        ])
    func ambiguousPaths(_ path: String) async throws {
        let upstream = try await named("x")
        try await withGateway(
            upstream: 0, options: .with(\.routes, [route("", upstream.port), route("/v1", upstream.port)])
        ) { gateway async throws in
            let response = try await gateway.exchange(gateway.get(path))
            #expect(response.status == 400 && response.text.contains(#""code":"path_ambiguous""#))
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("a path without a route is not found, and only with a valid key") func notFound() async throws {
        let upstream = try await named("x")
        try await withGateway(upstream: 0, options: .with(\.routes, [route("/v1", upstream.port)])) {
            gateway async throws in
            let response = try await gateway.exchange(gateway.get("/v2"))
            #expect(response.status == 404)
            #expect(response.text.contains("not_found_error"))
            #expect(try await gateway.exchange("GET /v2 HTTP/1.1\r\nHost: a\r\n\r\n").status == 401)
        }
    }

    @Test("a request goes to the upstream with the fewest in flight") func leastLoaded() async throws {
        let slow = try await RawUpstream { _ in .nothing }
        let quick = try await named("quick")
        try await withGateway(upstream: 0, options: .with(\.routes, [route("", slow.port, quick.port)])) {
            gateway async throws in
            var waiting: [RawConnection] = []
            var answered = 0
            for _ in 0..<10 {
                let client = try await connect(port: gateway.port)
                try await client.send(gateway.get())
                try await eventually("a request to an upstream") {
                    slow.requests.count > waiting.count || quick.requests.count > answered
                }
                if slow.requests.count > waiting.count { waiting.append(client) } else { answered += 1 }
            }
            #expect(waiting.count == 1)
            #expect(answered == 9)
        }
    }

    @Test("an unreachable upstream costs no request while another is reachable") func unreachable() async throws {
        let unreachable = try await named("unreachable")
        await unreachable.close()
        let reachable = try await named("reachable")
        try await withGateway(upstream: 0, options: .with(\.routes, [route("", unreachable.port, reachable.port)])) {
            gateway async throws in
            for _ in 0..<12 {
                let text = try await gateway.exchange(gateway.get()).text
                #expect(text == "reachable")
            }
        }
    }

    @Test(
        "a path that only resembles an ambiguous one is forwarded",
        arguments: [
            "/v1/a;b=..", "/v1/...", "/v1/..a", "/v1/a.;x", "/v1/%25", "/v1/%252", "/v1/%25zz", "/v1/%2", "/v1/%",
            "/v1/100%?x=/../y",
        ])
    func harmlessPaths(_ path: String) async throws {
        let upstream = try await named("x")
        try await withGateway(upstream: 0, options: .with(\.routes, [route("/v1", upstream.port)])) {
            gateway async throws in
            #expect(try await gateway.exchange(gateway.get(path)).status == 200)
        }
    }

    @Test("a closed reused connection is replaced, at the same upstream if no other is reachable")
    func replacedConnection() async throws {
        let unreachable = try await named("unreachable")
        await unreachable.close()
        let reachable = try await RawUpstream { request in
            request.index == 0 ? .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") : .sendThenClose("")
        }
        let options = HarnessOptions.with(\.routes, [route("", unreachable.port, reachable.port)])
        try await withGateway(upstream: 0, options: options) { gateway async throws in
            for _ in 0..<6 { #expect(try await gateway.exchange(gateway.get()).text == "ok") }
        }
    }

    @Test("the request gets 502 if no upstream is reachable") func allUnreachable() async throws {
        let (one, two) = (try await named("1"), try await named("2"))
        await one.close()
        await two.close()
        try await withGateway(upstream: 0, options: .with(\.routes, [route("", one.port, two.port)])) {
            gateway async throws in
            let response = try await gateway.exchange(gateway.get())
            #expect(response.status == 502)
            #expect(response.text.contains("upstream_unreachable"))
        }
    }

    @Test("each upstream has its own base path") func basePaths() async throws {
        let upstream = try await named("x")
        let routes = [
            Route(upstreams: [Upstream(host: "127.0.0.1", port: upstream.port, basePath: "/root")]),
            Route(prefix: "/v1", upstreams: [Upstream(host: "127.0.0.1", port: upstream.port, basePath: "/one")]),
        ]
        try await withGateway(upstream: 0, options: .with(\.routes, routes)) { gateway async throws in
            _ = try await gateway.exchange(gateway.get("/a"))
            _ = try await gateway.exchange(gateway.get("/v1/a"))
            #expect(upstream.requests.map { $0.head.split(separator: " ")[1] } == ["/root/a", "/one/v1/a"])
        }
    }
}
