import AuthKeys
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Forward-auth")
struct ForwardAuthTests {
    private static let path = "/v1/forward-auth"

    /// The ways in which proxies describe the same request.
    enum Dialect: CaseIterable {
        case traefik, nginx, nginxIngress, envoy

        func ask(
            _ method: String, _ target: String, _ headers: [(String, String)], _ server: ControlServer,
            scope: String = ""
        ) async throws -> ControlServer.Answer {
            let query = scope.isEmpty ? "" : "?scope=\(scope)"
            switch self {
            case .traefik:
                let described = [("X-Forwarded-Method", method), ("X-Forwarded-Uri", target)]
                return try await server.send(.GET, path + query, admin: nil, headers: headers + described)
            case .nginx:
                let described = [("X-Original-Method", method), ("X-Original-URI", target)]
                return try await server.send(.GET, path + query, admin: nil, headers: headers + described)
            case .nginxIngress:
                let described = [("X-Original-Method", method), ("X-Original-URL", "https://api.test" + target)]
                return try await server.send(.GET, path + query, admin: nil, headers: headers + described)
            case .envoy:
                return try await server.send(HTTPMethod(rawValue: method), path + target, admin: nil, headers: headers)
            }
        }
    }

    private func key(_ server: ControlServer, _ members: String = "") async throws -> String {
        let answer = try await server.create(
            "{\"name\":\"T\u{eb}am 1\",\"owner\":\"o\",\"scopes\":[\"a:*\"]\(members)}")
        return try #require(answer.object["value"] as? String)
    }

    @Test("a valid key passes with all identity fields", arguments: Dialect.allCases)
    func valid(_ dialect: Dialect) async throws {
        try await ControlServer.with { server in
            let bearer = [("Authorization", "Bearer \(try await key(server))")]
            let answer = try await dialect.ask("GET", "/v1/x?y=1", bearer, server)
            #expect(answer.status == 200 && answer.text.isEmpty)
            #expect(answer.headers.first(name: "X-Keyward-Key-Name") == "T%C3%ABam 1")
            #expect(answer.headers.first(name: "X-Keyward-Owner") == "o")
            #expect(answer.headers.first(name: "X-Keyward-Scopes") == "a:*")
            #expect(answer.headers.first(name: "X-Keyward-Key-Id")?.count == 36)
            let bare = try #require(try await server.create(#"{"name":"n"}"#).object["value"] as? String)
            let empty = try await dialect.ask("GET", "/", [("X-API-Key", bare)], server)
            #expect(empty.status == 200)
            #expect(empty.headers["X-Keyward-Owner"] == [""] && empty.headers["X-Keyward-Scopes"] == [""])
        }
    }

    @Test("refusals get 401 or 403 with a body and a challenge", arguments: Dialect.allCases)
    func refusals(_ dialect: Dialect) async throws {
        let rules = ScopeRules(["DELETE /v1/**=b:write"].compactMap { ScopeRules.Rule($0) })
        try await ControlServer.with(rules: rules) { server in
            let token = try await key(server, #","allowed_methods":["GET","DELETE"],"allowed_paths":["/v1/*"]"#)
            let bearer = [("Authorization", "Bearer \(token)")]
            for (method, target, headers, status, code) in [
                ("GET", "/v1/x", [], 401, "key_missing"),
                ("GET", "/v1/x", [("Authorization", "Bearer junk")], 401, "key_malformed"),
                ("GET", "/v1/x", [("X-API-Key", Token.generate().value)], 401, "key_unknown"),
                ("GET", "/v1/x", bearer + [("X-API-Key", Token.generate().value)], 403, "ambiguous_credentials"),
                ("POST", "/v1/x", bearer, 403, "method_not_allowed"), ("GET", "/v2", bearer, 403, "path_not_allowed"),
                ("GET", "/v1/%2e%2e", bearer, 403, "path_ambiguous"), ("DELETE", "/v1/x", bearer, 403, "scope_missing"),
                ("GET", "/v1/%25%32%65", bearer, 403, "path_ambiguous"),
            ] as [(String, String, [(String, String)], Int, String)] {
                let answer = try await dialect.ask(method, target, headers, server)
                #expect(
                    answer.status == status && answer.errorText("code") == code, "\(method) \(target): \(answer.text)")
                #expect(answer.headers.contains(name: "WWW-Authenticate") == (status == 401 || code == "scope_missing"))
                #expect(answer.headers["X-Keyward-Error"] == [answer.text])
            }
            #expect(try await dialect.ask("GET", "/v1/x", bearer, server).status == 200)
        }
    }

    @Test("a raw byte in the original target and a method in another case are refused by name")
    func malformed() async throws {
        try await ControlServer.with { server in
            let bearer = [("Authorization", "Bearer \(try await key(server))")]
            let raw = bearer + [("X-Original-Method", "GET"), ("X-Original-URI", "/caf\u{E9}")]
            let refused = try await server.send(.GET, Self.path, admin: nil, headers: raw)
            #expect(refused.status == 403 && refused.errorText("code") == "malformed_request")
            #expect(
                refused.text.contains("the request target has the byte 0xC3 at offset 4: percent-encode it as %C3"))
            let small = bearer + [("X-Forwarded-Method", "post"), ("X-Forwarded-Uri", "/")]
            let miscased = try await server.send(.GET, Self.path, admin: nil, headers: small)
            #expect(miscased.status == 403 && miscased.errorText("code") == "method_ambiguous")
        }
    }

    @Test(
        "a query without scopes, or with other parameters, is refused",
        arguments: [
            "scopes=a:read", "Scope=a:read", "scope[]=a:read", "scope", "scope=", "scope=%20", "scope=a:read&scope=",
            "scope=a:read&x=1", "sc%6fpe=a:read", "scope=a:*", "=a:read", "a:read", "%73cope=z",
        ])
    func invalidQuery(_ query: String) async throws {
        try await ControlServer.with { server in
            let bearer = [("Authorization", "Bearer \(try await key(server))")]
            let described = bearer + [("X-Original-Method", "GET"), ("X-Original-URI", "/")]
            let answer = try await server.send(.GET, "\(Self.path)?\(query)", admin: nil, headers: described)
            #expect(answer.status == 403 && answer.errorText("code") == "validation_failed", "\(answer.text)")
            #expect(answer.headers["X-Keyward-Error"] == [answer.text])
            let empty = try await server.send(.GET, "\(Self.path)?", admin: nil, headers: described)
            #expect(empty.status == 200)
        }
    }

    @Test("the scopes in the query are required")
    func scopes() async throws {
        try await ControlServer.with { server in
            let bearer = [("Authorization", "Bearer \(try await key(server))")]
            #expect(try await Dialect.nginx.ask("GET", "/", bearer, server, scope: "a:read").status == 200)
            let refused = try await Dialect.nginx.ask("GET", "/", bearer, server, scope: "a:read%20b:read&scope=c")
            #expect(
                refused.status == 403
                    && refused.headers.first(name: "WWW-Authenticate")?.contains("a:read b:read c") == true)
            #expect(try await Dialect.nginx.ask("GET", "/", bearer, server, scope: "a:*").status == 403)
        }
    }

    @Test("conflicting descriptions of a request are refused")
    func conflicts() async throws {
        try await ControlServer.with { server in
            let bearer = [("Authorization", "Bearer \(try await key(server))")]
            for (dialect, more) in [
                (Dialect.nginx, ("X-Forwarded-Uri", "/public")), (.nginx, ("X-Forwarded-Method", "HEAD")),
                (.traefik, ("X-Original-URI", "/public")), (.traefik, ("X-Original-URL", "https://a/public")),
                (.envoy, ("X-Forwarded-Uri", "/public")), (.envoy, ("X-Original-Method", "HEAD")),
                (.nginx, ("X-Original-URI", "/public")),
            ] {
                let answer = try await dialect.ask("GET", "/private", bearer + [more], server)
                #expect(answer.status == 403 && answer.errorText("code") == "ambiguous_request", "\(dialect) \(more)")
            }
            let same = try await Dialect.nginx.ask("GET", "/a", bearer + [("X-Forwarded-Uri", "/a")], server)
            #expect(same.status == 200)
        }
    }

    @Test("a request without an attribute that a rule needs is refused")
    func unknown() async throws {
        try await ControlServer.with { server in
            for rule in [#""allowed_methods":["GET"]"#, #""allowed_paths":["/**"]"#, #""allowed_cidrs":["0.0.0.0/0"]"#]
            {
                let bearer = [("Authorization", "Bearer \(try await key(server, ",\(rule)"))")]
                #expect(try await server.send(.GET, Self.path, admin: nil, headers: bearer).status == 403, "\(rule)")
            }
        }
    }

    @Test("the client's address is the last one that the proxy added")
    func address() async throws {
        let proxies = [IPNetwork("10.0.0.0/8")].compactMap(\.self)
        try await ControlServer.with(proxies: proxies) { server in
            let bearer = ("Authorization", "Bearer \(try await key(server, #","allowed_cidrs":["192.0.2.0/24"]"#))")
            for (header, status) in [
                (("X-Forwarded-For", "192.0.2.1"), 200), (("X-Forwarded-For", "192.0.2.1, 10.1.1.1"), 200),
                (("X-Forwarded-For", "192.0.2.1, 198.51.100.1"), 403), (("X-Forwarded-For", "junk"), 403),
                (("X-Real-IP", "192.0.2.9"), 200), (("X-Real-IP", "198.51.100.1"), 403),
            ] {
                let answer = try await Dialect.traefik.ask("GET", "/", [bearer, header], server)
                #expect(answer.status == status, "\(header)")
            }
        }
    }

    @Test("a client cannot supply a method, path or address that its proxy omits")
    func halfDescribed() async throws {
        let rules = ScopeRules(["* /secret/**=admin"].compactMap { ScopeRules.Rule($0) })
        try await ControlServer.with(rules: rules) { server in
            let bearer = [("Authorization", "Bearer \(try await key(server))")]
            let preflight = [("Origin", "https://a.test"), ("Access-Control-Request-Method", "GET")]
            for headers in [
                [], [("X-Original-URI", "/")], [("X-Forwarded-Method", "GET")],
                [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "secret/1")],
                [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "?/secret/1")],
                [
                    ("X-Original-Method", "GET"), ("X-Original-URI", "/"), ("X-Real-IP", "192.0.2.1"),
                    ("X-Forwarded-For", "10.1.1.1"),
                ],
            ] {
                for more in [[], preflight] {
                    let answer = try await server.send(.GET, Self.path, admin: nil, headers: bearer + headers + more)
                    #expect(answer.status == 403 && answer.errorText("code") == "ambiguous_request", "\(headers)")
                }
            }
        }
    }

    @Test("a preflight passes without a key or an identity")
    func preflight() async throws {
        try await ControlServer.with { server in
            let preflight = [("Origin", "https://a.test"), ("Access-Control-Request-Method", "PUT")]
            let answer = try await Dialect.traefik.ask("OPTIONS", "/", preflight, server)
            #expect(answer.status == 200 && answer.headers["X-Keyward-Key-Id"] == [""])
            #expect(try await Dialect.traefik.ask("OPTIONS", "/", [], server).status == 401)
        }
    }

    @Test("an unavailable database gets 503, and a path with the same prefix gets 404")
    func others() async throws {
        try await ControlServer.with { server in
            let bearer = [("Authorization", "Bearer \(Token.generate().value)")]
            server.store.isDown = true
            let away = try await Dialect.nginx.ask("GET", "/", bearer, server)
            #expect(away.status == 503 && away.headers.first(name: "Retry-After") == "1")
            #expect(try await server.send(.GET, "/v1/forward-authority", admin: nil).status == 404)
        }
    }
}
