import AuthKeys
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Introspection (RFC 7662)")
struct IntrospectionTests {
    private func ask(
        _ body: String, _ server: ControlServer, authorization: String? = "Bearer \(ControlServer.adminKey)",
        type: String = "application/x-www-form-urlencoded"
    ) async throws -> ControlServer.Answer {
        let headers = [("Content-Type", type)] + [authorization].compactMap { $0.map { ("Authorization", $0) } }
        return try await server.send(.POST, "/v1/introspect", body: body, admin: nil, headers: headers)
    }

    private func basic(_ user: String, _ password: String) -> String {
        "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    }

    private func key(_ server: ControlServer, _ members: String = "") async throws -> (id: String, token: String) {
        let answer = try await server.create("{\"name\":\"billing\"\(members)}")
        return try #require((answer.object["id"] as? String).map { ($0, answer.object["value"] as? String ?? "") })
    }

    @Test("an active key has all members of section 2.2 that apply")
    func active() async throws {
        try await ControlServer.with { server in
            let before = Int(Date().timeIntervalSince1970)
            let (id, token) = try await key(
                server,
                #","owner":"acme","scopes":["documents:*","x:read"],"expires_at":"2999-01-01T00:00:00.5Z","not_before":"2020-01-01T00:00:00Z""#
            )
            let answer = try await ask("token=\(token)&token_type_hint=refresh_token&unheard=of", server)
            #expect(answer.status == 200 && answer.headers["Cache-Control"] == ["no-store"])
            let described = answer.object
            #expect(described["active"] as? Bool == true && described["scope"] as? String == "documents:* x:read")
            #expect(described["client_id"] as? String == id && described["jti"] as? String == id)
            #expect(described["username"] as? String == "billing" && described["sub"] as? String == "acme")
            #expect(described["exp"] as? Int == 32_472_144_000 && described["nbf"] as? Int == 1_577_836_800)
            let issued = try #require(described["iat"] as? Int)
            #expect((before...before + 60).contains(issued))
            #expect(
                described["iss"] as? String == ControlServer.issuer && described["token_type"] as? String == "Bearer")
            #expect(described.count == 11)
            let bare = try await key(server)
            let little = try await ask("token=\(bare.token)", server).object
            #expect(Set(little.keys) == ["active", "client_id", "iat", "iss", "jti", "sub", "token_type", "username"])
            #expect(little["sub"] as? String == bare.id)
        }
    }

    @Test("a key that is not valid has no members but active")
    func inactive() async throws {
        try await ControlServer.with { server in
            let limited = try await key(
                server, #","allowed_cidrs":["192.0.2.0/24"],"allowed_paths":["/v1/*"],"scopes":["a"]"#)
            let off = try await key(server, #","enabled":false"#)
            for body in [
                "token=\(Token.generate().value)", "token=junk", "token=\(off.token)", "token=\(limited.token)",
                "token=\(limited.token)&ip=192.0.2.1", "token=\(limited.token)&ip=192.0.2.1&path=/v2",
                "token=\(limited.token)&ip=192.0.2.1&path=/v1/x&scope=b",
            ] {
                let answer = try await ask(body, server)
                #expect(answer.status == 200 && answer.text == #"{"active":false}"#, "\(body)")
            }
            let valid = try await ask("ip=192.0.2.1&path=%2Fv1%2Fx&method=GET&scope=a&token=\(limited.token)", server)
            #expect(valid.object["active"] as? Bool == true)
        }
    }

    @Test("clients authenticate by Bearer or Basic")
    func clients() async throws {
        try await ControlServer.with { server in
            let created = try await server.send(
                .POST, "/admin/api/v1/admin-keys", body: #"{"name":"n","permissions":["verify"],"owner":"acme"}"#)
            let admin = try #require(created.object["value"] as? String)
            let (_, own) = try await key(server, #","owner":"acme""#)
            let (_, other) = try await key(server, #","owner":"else""#)
            let encoded = admin.replacing("_", with: "%5F")
            for authorization in [
                "Bearer \(admin)", "bearer  \(admin)", basic("any", admin), basic("", admin), basic("a%3Ab", encoded),
            ] {
                let answer = try await ask("token=\(own)", server, authorization: authorization)
                #expect(answer.object["active"] as? Bool == true, "\(authorization): \(answer.text)")
                let hidden = try await ask("token=\(other)", server, authorization: authorization)
                #expect(hidden.text == #"{"active":false}"#)
            }
        }
    }

    @Test("an unauthenticated client gets the challenges in OAuth's form")
    func strangers() async throws {
        try await ControlServer.with { server in
            let (_, token) = try await key(server)
            for authorization in [
                nil, "Bearer \(token)", "Bearer junk", "Bearer", "Basic !", basic("a", "b"),
                "Basic " + Data("nocolon".utf8).base64EncodedString(), "Digest x",
            ] {
                let answer = try await ask("token=\(token)", server, authorization: authorization)
                #expect(answer.status == 401 && answer.object["error"] as? String == "invalid_client")
                let challenges = answer.headers["WWW-Authenticate"].joined(separator: ", ")
                #expect(challenges.contains("Basic realm=") && challenges.contains("Bearer realm="))
                // RFC 6750 section 3.1: the error is present only if a Bearer token was sent.
                let isWrong = ["Bearer \(token)", "Bearer junk"].contains(authorization)
                #expect(challenges.contains("error=\"invalid_token\"") == isWrong, "\(authorization ?? "")")
            }
            let created = try await server.send(
                .POST, "/admin/api/v1/admin-keys", body: #"{"name":"n","permissions":["keys:read"]}"#)
            let reader = try #require(created.object["value"] as? String)
            let refused = try await ask("token=\(token)", server, authorization: "Bearer \(reader)")
            #expect(refused.status == 403 && refused.object["error"] as? String == "insufficient_scope")
            #expect(
                refused.headers["WWW-Authenticate"] == [
                    "Bearer realm=\"keyward-admin\", error=\"insufficient_scope\""
                ])
        }
    }

    @Test("invalid requests get the reason in OAuth's form, without the token")
    func faults() async throws {
        try await ControlServer.with { server in
            let (_, token) = try await key(server)
            for (body, word) in [
                ("", "token"), ("token=", "token"), ("token_type_hint=x", "token"),
                ("token=\(token)&token=\(token)", "token"), ("token=\(token)&ip=here", "ip"),
                ("token=\(token)&ip=192.0.2.1&ip=192.0.2.2", "ip"), ("token=\(token)&path=x", "path"),
                ("token=\(token)&scope=a:*", "scope"), ("token=%zz", "body"), ("token=%ff", "body"),
            ] {
                let answer = try await ask(body, server)
                #expect(answer.status == 400 && answer.object["error"] as? String == "invalid_request", "\(body)")
                let description = answer.object["error_description"] as? String ?? ""
                #expect(description.contains(word) && !answer.text.contains(token), "\(body): \(description)")
            }
            let json = try await ask("{\"token\":\"\(token)\"}", server, type: "application/json")
            #expect(json.status == 400 && json.object["error"] as? String == "invalid_request")
            let charset = try await ask(
                "token=\(token)", server, type: "Application/X-WWW-Form-Urlencoded; charset=utf-8")
            #expect(charset.object["active"] as? Bool == true)
            #expect(try await server.send(.GET, "/v1/introspect?token=\(token)").status == 405)
        }
    }

    @Test("an unknown key gets 503 while the database is unavailable")
    func outage() async throws {
        try await ControlServer.with { server in
            server.store.isDown = true
            let answer = try await ask("token=\(Token.generate().value)", server)
            #expect(answer.status == 503 && answer.object["error"] as? String == "temporarily_unavailable")
            #expect(answer.headers["Retry-After"] == ["1"])
        }
    }

    @Test("the metadata name the endpoint (RFC 8414)")
    func metadata() async throws {
        try await ControlServer.with { server in
            let answer = try await server.send(.GET, "/.well-known/oauth-authorization-server", admin: nil)
            #expect(answer.status == 200 && answer.headers.first(name: "Content-Type") == "application/json")
            #expect(answer.object["issuer"] as? String == ControlServer.issuer)
            #expect(answer.object["introspection_endpoint"] as? String == ControlServer.issuer + "/v1/introspect")
            #expect((answer.object["response_types_supported"] as? [String])?.isEmpty == true)
            let methods = answer.object["introspection_endpoint_auth_methods_supported"] as? [String]
            #expect(methods == ["client_secret_basic", "Bearer"])
        }
    }
}
