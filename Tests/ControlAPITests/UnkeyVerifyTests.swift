import AuthKeys
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Unkey verification routes")
struct UnkeyVerifyTests {
    private func create(_ server: ControlServer, _ members: String) async throws -> (id: String, token: String) {
        let answer = try await server.create("{\"name\":\"n\",\(members)}")
        return (
            try #require(answer.object["id"] as? String, "\(answer.text)"),
            try #require(answer.object["value"] as? String)
        )
    }

    @Test("a valid key gets its attributes")
    func valid() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await create(
                server, #""owner":"acme","scopes":["a:*"],"metadata":{"p":1},"expires_at":"2999-01-01T00:00:00Z""#)
            let answer = try await server.unkey(
                "keys.verifyKey",
                [
                    "key": token, "permissions": "a:read", "tags": ["x=y"], "credits": ["cost": 0],
                    "ratelimits": [String](), "keyspaces": NSNull(),
                ])
            #expect(answer.status == 200 && answer.headers["Cache-Control"] == ["no-store"])
            let request = answer.headers.first(name: "X-Request-Id") ?? ""
            #expect(
                answer.text == #"{"data":{"code":"VALID","enabled":true,"expires":32472144000000,"#
                    + #""identity":{"externalId":"acme","id":"acme"},"keyId":"\#(id)","meta":{"p":1},"name":"n","#
                    + #""permissions":["a:*"],"valid":true},"meta":{"requestId":"\#(request)"}}"#)
        }
    }

    @Test("each refusal gets Unkey's code")
    func refusals() async throws {
        try await ControlServer.with { server in
            let gone = try await create(server, #""owner":"o""#)
            let off = try await server.send(.POST, "/admin/api/v1/auth-keys/\(gone.id)/deactivate")
            #expect(off.status == 204)
            let cases: [(String, String, Bool)] = [
                (try await create(server, #""enabled":false"#).token, "DISABLED", true),
                (try await create(server, #""not_before":"2999-01-01T00:00:00Z""#).token, "FORBIDDEN", true),
                (try await create(server, #""allowed_cidrs":["192.0.2.0/24"]"#).token, "FORBIDDEN", true),
                (try await create(server, #""allowed_methods":["GET"]"#).token, "FORBIDDEN", true),
                (try await create(server, #""allowed_paths":["/v1/*"]"#).token, "FORBIDDEN", true),
                (try await create(server, #""scopes":["b"]"#).token, "INSUFFICIENT_PERMISSIONS", true),
                (gone.token, "NOT_FOUND", false), (Token.generate().value, "NOT_FOUND", false),
                ("junk", "NOT_FOUND", false),
            ]
            for (token, code, isReported) in cases {
                let answer = try await server.unkey("keys.verifyKey", ["key": token, "permissions": "a"])
                #expect(answer.status == 200 && answer.data["code"] as? String == code, "\(answer.text)")
                #expect(answer.data["valid"] as? Bool == false)
                #expect((answer.data["keyId"] != nil) == isReported && (answer.data["name"] != nil) == isReported)
            }
            let brief = Timestamp.now.advanced(by: .milliseconds(400)).description
            let ending = try await create(server, #""expires_at":"\#(brief)""#).token
            let expired = try await eventually {
                try await server.unkey("keys.verifyKey", ["key": ending]).data["code"] as? String == "EXPIRED"
            }
            #expect(expired)
        }
    }

    @Test(
        "a query joins required permissions by AND",
        arguments: [
            ("a", "a"), ("a AND b", "a b"), ("a and b And c.d-e/f_g", "a b c.d-e/f_g"),
            (" ( a AND (b) )AND\tc ", "a b c"),
            ("ANDROID AND ORACLE", "ANDROID ORACLE"), ("documents.*", "documents.*"), ("a AND a", "a a"),
        ])
    func query(_ text: String, _ scopes: String) throws {
        let needed = try UnkeyPermissionQuery.scopes(text)
        #expect(needed.text == scopes)
    }

    @Test(
        "any other query is refused",
        arguments: [
            "", " ", "()", "AND", "a AND", "AND a", "a b", "(a", "a)", ")a(", "a AND AND b", "a OR b", "(a or b) AND c",
            "a:*", "a\"", "ä", "a(b)", String(repeating: "a", count: 129), String(repeating: "(", count: 1_001),
        ])
    func badQuery(_ text: String) async throws {
        try await ControlServer.with { server in
            let answer = try await server.unkey("keys.verifyKey", ["key": "k", "permissions": text])
            #expect(answer.status == 400 && answer.locations == ["body.permissions"], "\(answer.text)")
        }
    }

    @Test("a verification counts as a use of the key, whoami does not")
    func use() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await server.unkeyKey()
            let who = try await server.unkey("keys.whoami", ["key": token])
            #expect(who.status == 200 && who.data["keyId"] as? String == id && !who.text.contains(token))
            _ = try await server.unkey("keys.deleteKey", ["keyId": id])
            let unused = try await server.send(.GET, "/admin/api/v1/auth-keys/\(id)").object
            #expect(unused["last_used_at"] == nil)
            let used = try await server.unkeyKey()
            _ = try await server.unkey("keys.verifyKey", ["key": used.token])
            await server.usage.flush()
            let key = try await server.send(.GET, "/admin/api/v1/auth-keys/\(used.id)").object
            #expect(key["last_used_at"] != nil)
        }
    }

    @Test("whoami finds a key in any state, by any of its secrets, and from another instance")
    func whoami() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await server.unkeyKey(["enabled": false, "meta": ["a": 1]])
            let paused = try await server.unkey("keys.whoami", ["key": token])
            #expect(paused.data["enabled"] as? Bool == false && paused.data["meta"] as? [String: Int] == ["a": 1])
            _ = try await server.unkey("keys.rerollKey", ["keyId": id, "expiration": 60_000])
            let who = try await server.unkey("keys.whoami", ["key": token])
            #expect(who.data["keyId"] as? String == id)
            for key in ["junk", Token.generate().value] {
                let whoAgain = try await server.unkey("keys.whoami", ["key": key])
                #expect(whoAgain.status == 404)
            }
            let elsewhere = Token.generate()
            let new = NewKey(
                id: .generate(), attributes: KeyAttributes(name: "elsewhere"), secret: NewSecret(elsewhere))
            _ = try await server.store.create(new, claim: nil)
            let found = try await server.unkey("keys.whoami", ["key": elsewhere.value])
            #expect(found.data["name"] as? String == "elsewhere", "\(found.text)")
        }
    }

    @Test("while the database is unavailable, only keys in memory are verified")
    func outage() async throws {
        try await ControlServer.with { server in
            let token = try await server.unkeyKey().token
            server.store.isDown = true
            let verified = try await server.unkey("keys.verifyKey", ["key": token])
            #expect(verified.data["code"] as? String == "VALID")
            for (operation, body) in [
                ("keys.verifyKey", ["key": Token.generate().value]), ("keys.whoami", ["key": Token.generate().value]),
                ("keys.whoami", ["key": token]), ("keys.createKey", ["apiId": "a"]),
            ] {
                let answer = try await server.unkey(operation, body)
                #expect(answer.status == 503 && answer.headers["Retry-After"] == ["1"], "\(answer.text)")
                #expect(answer.error["status"] as? Int == 503 && answer.error["errors"] == nil)
            }
        }
    }
}
