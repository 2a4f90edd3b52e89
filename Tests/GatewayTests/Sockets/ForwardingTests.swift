import AuthKeys
import Gateway
import TestSupport
import Testing

/// The request as the upstream gets it, and the response as the client gets it.
@Suite("Forwarding") struct ForwardingTests {
    @Test("the upstream gets the identity of the request's key") func identity() async throws {
        let upstream = try await RawUpstream()
        let options = HarnessOptions(keyName: "Zoë's 100% key", owner: "team a", scopes: "read write")
        try await withGateway(before: upstream, options: options) { gateway async throws in
            #expect(try await gateway.exchange(gateway.get("/p?q=%20")).status == 200)
            let request = try #require(upstream.requests.first)
            #expect(request.text.hasPrefix("GET /p?q=%20 HTTP/1.1\r\n"))
            #expect(request["X-Keyward-Key-Id"] == [gateway.keyID.description])
            #expect(request["X-Keyward-Key-Name"] == ["Zo%C3%AB's 100%25 key"])
            #expect(request["X-Keyward-Owner"] == ["team a"])
            #expect(request["X-Keyward-Scopes"] == ["read write"])
            #expect(request["X-Forwarded-For"] == ["127.0.0.1"])
            #expect(request["X-Forwarded-Proto"] == ["http"])
            #expect(request["X-Forwarded-Host"] == ["api.test"])
            #expect(request["Host"] == ["api.test"])
        }
    }

    @Test("an empty owner and empty scopes are left out") func emptyIdentity() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            _ = try await gateway.exchange(gateway.get("/", "X-Keyward-Owner: me\r\nX-Keyward-Scopes: all\r\n"))
            #expect(upstream.requests.first?["X-Keyward-Owner"] == [])
            #expect(upstream.requests.first?["X-Keyward-Scopes"] == [])
        }
    }

    @Test("a key's name cannot break out of its field") func escaping() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream, options: HarnessOptions(keyName: "a\r\nX-Keyward-Owner: root")) {
            gateway async throws in
            _ = try await gateway.exchange(gateway.get())
            #expect(upstream.requests.first?["X-Keyward-Key-Name"] == ["a%0D%0AX-Keyward-Owner: root"])
            #expect(upstream.requests.first?["X-Keyward-Owner"] == [])
        }
    }

    @Test("a client cannot forge an identity") func spoofing() async throws {
        let upstream = try await RawUpstream()
        let spoof = [
            "X-Keyward-Key-Id", "x-keyward-key-id", "X_Keyward_Key_Id", "X.Keyward.Key.Id", "X-Keyward_Owner",
            "X-KEYWARD-SCOPES",
            "X-Keyward-New", "X-Request-Id", "x_request_id", "X-Forwarded-For", "X_Forwarded_For", "X-Forwarded-User",
            "Forwarded",
            "X-Real-IP", "x.real.ip",
        ]
        try await withGateway(before: upstream) { gateway async throws in
            let lines = spoof.map { "\($0): spoofed-value\r\n\($0): spoofed-value\r\n" }.joined()
            #expect(try await gateway.exchange(gateway.get("/", lines)).status == 200)
            let request = try #require(upstream.requests.first)
            #expect(!request.text.contains("spoofed-value"))
            #expect(request["X-Keyward-Key-Id"] == [gateway.keyID.description])
            #expect(request["X-Forwarded-For"] == ["127.0.0.1"])
            #expect(request["X-Request-Id"].count == 1)
        }
    }

    @Test("naming a field in Connection removes the client's field, never Keyward's")
    func namedInConnection() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            let lines =
                "Connection: X-Keyward-Key-Id, x-drop-me , Host\r\nConnection: Content-Length,X-Request-Id\r\n"
                + "X-Drop-Me: 1\r\nX-Keep-Me: 2\r\nContent-Length: 2\r\n"
            let request = "POST / HTTP/1.1\r\nHost: api.test\r\n\(gateway.bearer)\(lines)\r\nhi"
            #expect(try await gateway.exchange(request).status == 200)
            let seen = try #require(upstream.requests.first)
            #expect(seen["X-Keyward-Key-Id"] == [gateway.keyID.description])
            #expect(seen["X-Request-Id"].count == 1)
            #expect(seen["Host"] == ["api.test"])
            #expect(seen["Content-Length"] == ["2"])
            #expect(seen["X-Drop-Me"] == [])
            #expect(seen["X-Keep-Me"] == ["2"])
            #expect(seen["Connection"] == [])
        }
    }

    @Test("hop-by-hop fields are not forwarded in either direction") func hopByHop() async throws {
        let upstream = try await RawUpstream { _ in
            .send(
                "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n"
                    + "Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTE: x\r\nX-End: 1\r\nContent-Length: 0\r\n\r\n"
            )
        }
        try await withGateway(before: upstream) { gateway async throws in
            let response = try await gateway.exchange(
                gateway.get(
                    "/",
                    "Connection: keep-alive, upgrade\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\n"
                        + "Upgrade: h2c\r\nProxy-Authorization: Basic x\r\nX-End: 1\r\n"))
            let request = try #require(upstream.requests.first)
            for name in [
                "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "Proxy-Authorization",
                "Proxy-Authenticate", "X-Hop",
            ] {
                #expect(request[name] == [])
                #expect(response[name] == [])
            }
            #expect(request["X-End"] == ["1"])
            #expect(response["X-End"] == ["1"])
        }
    }

    @Test("all other fields pass byte for byte, in order and with duplicates") func otherFields() async throws {
        let fields: [UInt8] =
            Array("x-B:  two  spaces\r\nX-a: 1\r\nACCEPT: */*\r\nX-a: 2\r\nCookie: a=b\r\nX-Latin: caf".utf8) + [
                0xE9, 0x0D, 0x0A,
            ]
        let upstream = try await RawUpstream { _ in
            .sendBytes(
                Array("HTTP/1.1 299 Quite  Odd\r\n".utf8) + fields
                    + Array("Set-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n".utf8))
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(
                Array("GET /a//b/../c%2F;x?y=z HTTP/1.1\r\nHost: api.test\r\n\(gateway.bearer)".utf8) + fields + [
                    0x0D, 0x0A,
                ])
            let response = try await client.response()
            #expect(response.statusLine == "HTTP/1.1 299 Quite  Odd")
            #expect(response.head.contains(fields + Array("Set-Cookie: a\r\nSet-Cookie: b\r\n".utf8)))
            let request = try #require(upstream.requests.first)
            #expect(request.text.hasPrefix("GET /a//b/../c%2F;x?y=z HTTP/1.1\r\n"))
            #expect(request.bytes.contains(Array("Host: api.test\r\n".utf8) + fields))
        }
    }

    @Test("every request has its own id, equal on both sides") func requestID() async throws {
        let upstream = try await RawUpstream { _ in
            .send("HTTP/1.1 200 OK\r\nX-Request-Id: upstream's\r\nContent-Length: 0\r\n\r\n")
        }
        try await withGateway(before: upstream) { gateway async throws in
            let first = try await gateway.exchange(gateway.get())["X-Request-Id"]
            let second = try await gateway.exchange(gateway.get())["X-Request-Id"]
            #expect(first.count == 1)
            #expect(first != second)
            #expect(upstream.requests.map { $0["X-Request-Id"] } == [first, second])
        }
    }

    @Test("an absolute target never changes the upstream") func absoluteTarget() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            for (target, path) in [
                ("http://evil.test:1/p?q", "/p?q"), ("HTTPS://evil.test:1", "/"), ("http://evil.test:1?q", "/?q"),
            ] {
                let response = try await gateway.exchange(
                    "GET \(target) HTTP/1.1\r\nHost: api.test\r\n\(gateway.bearer)\r\n")
                #expect(response.status == 200)
                #expect(upstream.requests.last?.text.hasPrefix("GET \(path) HTTP/1.1\r\n") == true)
                #expect(upstream.requests.last?["Host"] == ["evil.test:1"])
                #expect(upstream.requests.last?["X-Forwarded-Host"] == ["evil.test:1"])
            }
        }
    }

    @Test("a base path is prepended to every path") func basePath() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(
            before: upstream, options: HarnessOptions(basePath: "/v1/")
        ) { gateway async throws in
            _ = try await gateway.exchange(gateway.get("/x?y"))
            #expect(upstream.requests.last?.text.hasPrefix("GET /v1/x?y HTTP/1.1\r\n") == true)
        }
    }

    @Test("no path escapes from a base path") func pathEscape() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream, options: HarnessOptions(basePath: "/v1")) { gateway async throws in
            for path in [
                "/../x", "/a/../../x", "/..", "/./x", "/%2e%2E/x", "/.%2e/x", "/..%2fx", "/a\\..\\x", "/..%5Cx",
                "/..?q",
            ] {
                #expect(try await gateway.exchange(gateway.get(path)).status == 400, "\(path)")
            }
            #expect(upstream.requests.isEmpty)
            for path in ["/a..b", "/...", "/.a/..b", "/x?/../y", "/%2", "/a%2f"] {
                #expect(try await gateway.exchange(gateway.get(path)).status == 200, "\(path)")
            }
        }
    }

    @Test("CONNECT and TRACE are refused, even with a key") func connectAndTrace() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            for line in ["CONNECT evil.test:443", "TRACE /"] {
                let response = try await gateway.exchange("\(line) HTTP/1.1\r\nHost: api.test\r\n\(gateway.bearer)\r\n")
                #expect(response.status == 405)
                #expect(response.text.contains("invalid_request_error"))
                #expect(response["Allow"].count == 1)
            }
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("bytes that are not valid HTTP get 400 and the connection closes") func invalidHTTP() async throws {
        let upstream = try await RawUpstream()
        try await withGateway(before: upstream) { gateway async throws in
            for bytes in [
                "\u{16}\u{3}\u{1}\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
                "POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ] {
                let client = try await connect(port: gateway.port)
                try await client.send(bytes)
                let response = try await client.response()
                #expect(response.status == 400)
                #expect(response["Connection"] == ["close"])
                #expect(response["X-Request-Id"].count == 1)
                try await client.waitForClose()
            }
            #expect(upstream.requests.isEmpty)
        }
    }

    @Test("trailers are forwarded both ways, except those of a header section") func trailers() async throws {
        let upstream = try await RawUpstream(anyBytes: true) { request in
            request.text.hasSuffix("\r\n\r\n")
                ? .send(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\nSet-Cookie: a=b\r\n\r\n"
                )
                : .nothing
        }
        try await withGateway(before: upstream) { gateway async throws in
            let client = try await connect(port: gateway.port)
            try await client.send(
                "POST / HTTP/1.1\r\nHost: a\r\n\(gateway.bearer)Transfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
                    + "2\r\nhi\r\n0\r\nX-Sum: 1\r\nX-Keyward-Owner: me\r\nAuthorization: x\r\nCookie: a=b\r\n\r\n")
            try await eventually("the response") { client.text.hasSuffix("0\r\nX-Sum: 2\r\n\r\n") }
            let seen = upstream.requests.map(\.text).joined()
            #expect(seen.hasSuffix("0\r\nX-Sum: 1\r\n\r\n"))
            #expect(seen.contains("\r\nConnection: TE\r\nTE: trailers\r\n"))
        }
    }
}
