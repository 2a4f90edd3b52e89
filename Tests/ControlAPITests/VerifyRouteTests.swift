import AuthKeys
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Verify routes")
struct VerifyRouteTests {
    private static let path = "/v1/verify"

    private func json(_ object: [String: Any]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }

    private func ask(
        _ question: [String: Any], _ server: ControlServer, admin: String? = ControlServer.adminKey
    ) async throws -> ControlServer.Answer {
        try await server.send(.POST, Self.path, body: try json(question), admin: admin)
    }

    private func key(_ server: ControlServer, _ members: [String: Any]) async throws -> (id: String, token: String) {
        let answer = try await server.create(try json(members.merging(["name": "n"]) { given, _ in given }))
        return try #require((answer.object["id"] as? String).map { ($0, answer.object["value"] as? String ?? "") })
    }

    private func adminKey(_ server: ControlServer, _ members: String) async throws -> String {
        let answer = try await server.send(.POST, "/admin/api/v1/admin-keys", body: "{\"name\":\"n\",\(members)}")
        return try #require(answer.object["value"] as? String, "\(answer.text)")
    }

    @Test("a valid key gets its identity and metadata")
    func valid() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await key(
                server,
                [
                    "name": "billing", "owner": "acme", "scopes": ["documents:*"], "metadata": ["plan": "pro"],
                    "expires_at": "2999-01-01T00:00:00Z",
                ])
            let answer = try await ask(["key": token, "scopes": ["documents:read"]], server)
            #expect(answer.status == 200 && answer.headers["Cache-Control"] == ["no-store"])
            #expect(answer.object["valid"] as? Bool == true && answer.object["code"] as? String == "VALID")
            #expect(answer.object["key_id"] as? String == id && answer.object["name"] as? String == "billing")
            #expect(answer.object["owner"] as? String == "acme")
            #expect(answer.object["scopes"] as? [String] == ["documents:*"])
            #expect(answer.object["metadata"] as? [String: String] == ["plan": "pro"])
            #expect(answer.object["expires_at"] as? String == "2999-01-01T00:00:00Z")
            #expect(answer.object["message"] == nil && !answer.text.contains(token))
        }
    }

    @Test("a key without attributes gets only the required members")
    func bare() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await key(server, [:])
            let answer = try await ask(["key": token], server)
            let expected = #"{"code":"VALID","key_id":"\#(id)","name":"n","status":200,"valid":true}"#
            #expect(answer.text == expected)
        }
    }

    @Test("a refusal has a code and the gateway's status")
    func refusals() async throws {
        let rules = ScopeRules(["DELETE /v1/**=b:write"].compactMap { ScopeRules.Rule($0) })
        try await ControlServer.with(rules: rules) { server in
            let limited = try await key(
                server,
                ["allowed_methods": ["GET", "DELETE"], "allowed_paths": ["/v1/*"], "allowed_cidrs": ["192.0.2.0/24"]]
            ).token
            let early = try await key(server, ["not_before": "2999-01-01T00:00:00Z"]).token
            let paused = try await key(server, ["enabled": false]).token
            let gone = try await key(server, [:])
            let off = try await server.send(.POST, "/admin/api/v1/auth-keys/\(gone.id)/deactivate")
            #expect(off.status == 204)
            let valid = ["method": "GET", "path": "/v1/x", "ip": "192.0.2.9"]
            for (token, change, code, status) in [
                (limited, [:], "VALID", 200), (limited, ["method": "POST"], "METHOD_NOT_ALLOWED", 403),
                (limited, ["method": ""], "METHOD_NOT_ALLOWED", 403),
                (limited, ["path": "/v2"], "PATH_NOT_ALLOWED", 403),
                (limited, ["path": ""], "PATH_NOT_ALLOWED", 403),
                (limited, ["ip": "198.51.100.1"], "IP_NOT_ALLOWED", 403),
                (limited, ["path": "/v1/%2e%2e"], "PATH_AMBIGUOUS", 400),
                (limited, ["path": "/v1/%25%32%65"], "PATH_AMBIGUOUS", 400),
                (limited, ["method": "delete"], "METHOD_AMBIGUOUS", 400),
                (limited, ["method": "DELETE"], "SCOPE_MISSING", 403), (early, [:], "NOT_YET_VALID", 401),
                (paused, [:], "DISABLED", 401), (gone.token, [:], "DEACTIVATED", 401),
                (Token.generate().value, [:], "NOT_FOUND", 401), ("junk", [:], "MALFORMED", 401),
                ("", [:], "MALFORMED", 401),
            ] as [(String, [String: String], String, Int)] {
                let question = valid.merging(["key": token]) { $1 }.merging(change) { $1 }
                let answer = try await ask(question, server)
                #expect(answer.status == 200 && answer.object["code"] as? String == code, "\(change): \(answer.text)")
                #expect(answer.object["status"] as? Int == status && answer.object["valid"] as? Bool == (status == 200))
                #expect((answer.object["www_authenticate"] != nil) == (status == 401 || code == "SCOPE_MISSING"))
                #expect((answer.object["message"] != nil) == (status != 200))
            }
        }
    }

    @Test("an admin key for one owner gets NOT_FOUND for the keys of others")
    func owners() async throws {
        try await ControlServer.with { server in
            let admin = try await adminKey(server, #""permissions":["verify"],"owner":"acme""#)
            let (own, other) = try await (key(server, ["owner": "acme"]), key(server, ["owner": "else"]))
            #expect(try await ask(["key": own.token], server, admin: admin).object["code"] as? String == "VALID")
            let answer = try await ask(["key": other.token], server, admin: admin)
            #expect(answer.object["code"] as? String == "NOT_FOUND" && answer.object["key_id"] == nil)
        }
    }

    @Test("a caller needs an admin key with the permission verify")
    func callers() async throws {
        try await ControlServer.with { server in
            let token = try await key(server, [:]).token
            let reader = try await adminKey(server, #""permissions":["keys:read"]"#)
            for (admin, status) in [(nil, 401), (token, 401), ("junk", 401), (reader, 403)] as [(String?, Int)] {
                for path in [Self.path, Self.path + "/batch"] {
                    let answer = try await server.send(
                        .POST, path, body: #"{"key":"k","requests":[{"key":"k"}]}"#, admin: admin)
                    #expect(answer.status == status, "\(answer.text)")
                }
            }
        }
    }

    @Test("an invalid request is refused by member")
    func faults() async throws {
        try await ControlServer.with { server in
            for (body, param) in [
                ("{}", "key"), (#"{"key":7}"#, "key"), (#"{"key":"k","ip":"here"}"#, "ip"),
                (#"{"key":"k","path":"v1"}"#, "path"), (#"{"key":"k","scopes":["a:*"]}"#, "scopes"),
                (#"{"key":"k","scopes":"a"}"#, "scopes"), (#"{"key":"k","cost":-1}"#, "cost"),
                (#"{"key":"k","cost":1.5}"#, "cost"), (#"{"key":"k","cost":3146063894520044453888}"#, "cost"),
                (#"{"key":"k","keys":1}"#, "keys"),
            ] {
                let answer = try await server.send(.POST, Self.path, body: body)
                #expect(answer.status == 400 && answer.errorText("param") == param, "\(body): \(answer.text)")
                let batch = try await server.send(
                    .POST, Self.path + "/batch", body: #"{"requests":[{"key":"k"},\#(body)]}"#)
                #expect(batch.status == 400, "\(body): \(batch.text)")
                #expect(batch.errorText("param") == "requests[1].\(param)", "\(body): \(batch.text)")
                #expect(batch.errorText("message")?.contains("requests[1].\(param)") == true, "\(batch.text)")
            }
            for body in [#"{"requests":[]}"#, "{}", #"{"requests":7}"#] {
                let answer = try await server.send(.POST, Self.path + "/batch", body: body)
                #expect(answer.status == 400 && answer.errorText("param") == "requests", "\(body): \(answer.text)")
            }
            let many = Array(repeating: #"{"key":"k"}"#, count: 101).joined(separator: ",")
            #expect(try await server.send(.POST, Self.path + "/batch", body: "{\"requests\":[\(many)]}").status == 400)
        }
    }

    @Test("a batch gets a result for each key, in order")
    func batch() async throws {
        try await ControlServer.with { server in
            let token = try await key(server, [:]).token
            let questions = (0..<100).map { ["key": $0.isMultiple(of: 2) ? token : "junk"] }
            let answer = try await server.send(.POST, Self.path + "/batch", body: try json(["requests": questions]))
            let results = try #require(answer.object["results"] as? [[String: Any]])
            #expect(results.count == 100)
            for (number, result) in results.enumerated() {
                #expect(result["valid"] as? Bool == number.isMultiple(of: 2))
            }
        }
    }

    @Test("a verification counts as a use of the key")
    func use() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await key(server, [:])
            _ = try await ask(["key": token, "ip": "192.0.2.9", "user_agent": "curl/8"], server)
            let off = try await server.send(.POST, "/admin/api/v1/auth-keys/\(id)/deactivate")
            #expect(off.headers.contains(name: "X-Keyward-Warning"))
        }
    }

    @Test("an unknown key gets 503, or UNAVAILABLE in a batch, while the database is unavailable")
    func outage() async throws {
        try await ControlServer.with { server in
            let token = try await key(server, [:]).token
            server.store.isDown = true
            #expect(try await ask(["key": token], server).object["code"] as? String == "VALID")
            let answer = try await ask(["key": Token.generate().value], server)
            #expect(answer.status == 503 && answer.errorText("code") == "verification_unavailable")
            #expect(answer.headers["Retry-After"] == ["1"])
            let questions = [["key": Token.generate().value], ["key": token]]
            let batch = try await server.send(.POST, Self.path + "/batch", body: try json(["requests": questions]))
            let codes = (batch.object["results"] as? [[String: Any]])?.map { $0["code"] as? String }
            #expect(batch.status == 200 && codes == ["UNAVAILABLE", "VALID"], "\(batch.text)")
        }
    }
}
