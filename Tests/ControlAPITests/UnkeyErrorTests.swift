import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Unkey errors")
struct UnkeyErrorTests {
    /// Checks all members that Unkey's clients read of an error.
    private func check(_ answer: ControlServer.Answer, _ status: Int, _ title: String, _ type: String) {
        #expect(answer.status == status && answer.headers["Cache-Control"] == ["no-store"], "\(answer.text)")
        #expect(answer.headers["Content-Type"] == ["application/json"])
        let meta = answer.object["meta"] as? [String: String]
        #expect(meta?["requestId"] == answer.headers.first(name: "X-Request-Id"))
        #expect(answer.errorText("title") == title && answer.error["status"] as? Int == status, "\(answer.text)")
        #expect(answer.errorText("type") == "urn:keyward:error:\(type)", "\(answer.text)")
        #expect(answer.errorText("detail")?.isEmpty == false)
        #expect((answer.error["errors"] != nil) == (status == 400))
    }

    @Test("all errors have Unkey's format")
    func form() async throws {
        try await ControlServer.with { server in
            func send(_ path: String, _ body: String, _ method: HTTPMethod = .POST) async throws -> ControlServer.Answer
            {
                try await server.send(method, path, body: body)
            }
            check(try await send("/v2/keys.createKey", "{"), 400, "Bad Request", "invalid_json")
            check(try await send("/v2/keys.createKey", "{}"), 400, "Bad Request", "validation_failed")
            let anonymous = try await server.send(.POST, "/v2/keys.verifyKey", body: "{}", admin: nil)
            check(anonymous, 401, "Unauthorized", "key_missing")
            check(try await send("/v2/keys.getKey", #"{"keyId":"x"}"#), 404, "Not Found", "key_not_found")
            check(try await send("/v2/keys.eatKey", "{}"), 404, "Not Found", "route_not_found")
            let get = try await server.send(.GET, "/v2/keys.getKey")
            check(get, 405, "Method Not Allowed", "unsupported_method")
            #expect(get.headers["Allow"] == ["POST"])
            let large = try await send("/v2/keys.verifyKey", String(repeating: " ", count: 70_000))
            check(large, 413, "Content Too Large", "body_too_large")
        }
    }

    @Test("the location of a fault has Unkey's name")
    func locations() async throws {
        try await ControlServer.with { server in
            let id = try await server.unkeyKey().id
            func key(_ members: [String: Any]) -> [String: Any] { members.merging(["keyId": id]) { $1 } }
            func new(_ members: [String: Any]) -> [String: Any] { members.merging(["apiId": "a"]) { $1 } }
            func rate(_ name: String, _ duration: Int = 60_000) -> [String: Any] {
                ["name": name, "limit": 5, "duration": duration]
            }
            let long = String(repeating: "x", count: 5_000)
            let cases: [(String, [String: Any], String)] = [
                ("createKey", [:], "apiId"), ("createKey", ["apiId": ""], "apiId"),
                ("createKey", ["apiId": 7], "apiId"),
                ("createKey", ["apiId": "a\nb"], "apiId"), ("createKey", new(["prefix": "A"]), "prefix"),
                ("createKey", new(["prefix": "kwa"]), "prefix"), ("createKey", new(["name": ""]), "name"),
                ("createKey", new(["byteLength": 64]), "byteLength"), ("createKey", new(["expires": 1]), "expires"),
                ("createKey", new(["expires": Int64.max]), "expires"),
                ("createKey", new(["expires": "soon"]), "expires"),
                ("createKey", new(["externalId": "a\u{1}"]), "externalId"), ("createKey", new(["meta": [1]]), "meta"),
                ("createKey", new(["meta": ["a": long]]), "meta"),
                ("createKey", new(["permissions": ["a b"]]), "permissions"),
                ("createKey", new(["roles": ["r"]]), "roles"), ("createKey", new(["recoverable": true]), "recoverable"),
                ("createKey", new(["credits": ["remaining": -1]]), "credits"),
                ("createKey", new(["credits": ["refill": ["interval": "weekly", "amount": 1]]]), "credits"),
                ("createKey", new(["ratelimits": [["name": "r"]]]), "ratelimits[0].limit"),
                ("createKey", new(["ratelimits": [rate("per_minute")]]), "ratelimits[0].name"),
                ("createKey", new(["ratelimits": [rate("API")]]), "ratelimits[0].name"),
                ("createKey", new(["ratelimits": [rate("r", 999)]]), "ratelimits[0].duration"),
                ("createKey", new(["ratelimits": [rate("r", 7_200_000)]]), "ratelimits[0].duration"),
                ("createKey", new(["ratelimits": [rate("r"), rate("r")]]), "ratelimits"),
                ("createKey", new(["ratelimits": (0..<9).map { rate("r\($0)") }]), "ratelimits"),
                ("createKey", new(["ownerId": "o"]), "ownerId"), ("getKey", [:], "keyId"),
                ("getKey", key(["decrypt": true]), "decrypt"), ("updateKey", key(["expires": 1]), "expires"),
                ("updateKey", key(["credits": ["refill": ["amount": 1]]]), "credits"),
                (
                    "updateKey",
                    key(["credits": ["remaining": NSNull(), "refill": ["interval": "daily", "amount": 1]]]), "credits"
                ),
                (
                    "updateKey", key(["credits": ["refill": ["interval": "daily", "amount": 1, "refillDay": 2]]]),
                    "credits"
                ),
                (
                    "updateKey", key(["credits": ["refill": ["interval": "monthly", "amount": 1, "refillDay": 32]]]),
                    "credits"
                ),
                ("updateKey", key(["ratelimits": [["limit": 1]]]), "ratelimits[0].name"),
                ("updateKey", key(["ratelimits": [rate("r").merging(["burst": 1]) { $1 }]]), "ratelimits[0].burst"),
                ("updateCredits", key(["operation": "double", "value": 1]), "operation"),
                ("updateCredits", key(["operation": "increment"]), "value"),
                ("updateCredits", key(["operation": "set", "value": -1]), "value"),
                ("updateCredits", key(["operation": "increment", "value": 1]), "operation"),
                ("updateKey", key(["roles": ["r"]]), "roles"), ("updateKey", key(["permissions": [""]]), "permissions"),
                ("deleteKey", key(["permanent": "yes"]), "permanent"), ("rerollKey", key([:]), "expiration"),
                ("rerollKey", key(["expiration": NSNull()]), "expiration"),
                ("rerollKey", key(["expiration": -1]), "expiration"),
                ("rerollKey", key(["expiration": 7_776_000_001]), "expiration"),
                ("setPermissions", key([:]), "permissions"),
                ("addPermissions", key(["permissions": ["a b"]]), "permissions"), ("verifyKey", [:], "key"),
                ("verifyKey", ["key": ""], "key"), ("verifyKey", ["key": "k", "credits": ["cost": -1]], "credits"),
                ("verifyKey", ["key": "k", "keyspaces": ["k"]], "keyspaces"),
                ("verifyKey", ["key": "k", "ratelimits": [["name": "R"]]], "ratelimits[0].name"),
                ("verifyKey", ["key": "k", "migrationId": "m"], "migrationId"),
                ("verifyKey", ["key": "k", "tags": "t"], "tags"), ("verifyKey", ["key": "k", "apiId": "a"], "apiId"),
                ("whoami", [:], "key"),
            ]
            for (operation, body, location) in cases {
                let answer = try await server.unkey("keys.\(operation)", body)
                #expect(answer.status == 400 && answer.locations == ["body.\(location)"], "\(body): \(answer.text)")
                #expect(answer.errorText("detail")?.contains(location) == true, "\(answer.text)")
            }
            for (body, location) in [
                ([:], "apiId"), (["apiId": ""], "apiId"), (new(["limit": 0]), "limit"),
                (new(["limit": 1_001]), "limit"),
                (new(["cursor": "x"]), "cursor"), (new(["decrypt": true]), "decrypt"),
            ] as [([String: Any], String)] {
                let answer = try await server.unkey("apis.listKeys", body)
                #expect(answer.status == 400 && answer.locations == ["body.\(location)"], "\(body): \(answer.text)")
            }
            let query = try await server.unkey("apis.listKeys?limit=1", new([:]))
            #expect(query.status == 400 && query.locations == ["query.limit"], "\(query.text)")
            let header = try await server.unkey("keys.createKey", new([:]), headers: [("Idempotency-Key", "a b")])
            #expect(header.status == 400 && header.locations == ["header.Idempotency-Key"], "\(header.text)")
            let keys = try await server.store.count(KeyQuery())
            #expect(keys.count == 1)
        }
    }

    @Test("only a member at the start of a message is renamed")
    func prose() async throws {
        try await ControlServer.with { server in
            let admin = try await server.adminKey(#""permissions":["keys:write"],"owner":"acme""#)
            let answer = try await server.unkey(
                "keys.createKey", ["apiId": "a", "externalId": "other"], admin: admin)
            #expect(answer.status == 403, "\(answer.text)")
            #expect(answer.errorText("detail") == "the admin key is limited to another owner and the owners below it")
        }
    }

    @Test("an operation that Keyward lacks gets the reason")
    func absent() async throws {
        try await ControlServer.with { server in
            for (operation, reason) in [
                ("apis.createApi", "no APIs"), ("identities.createIdentity", "no identities"),
                ("permissions.createRole", "no roles"), ("keys.addRoles", "no roles"),
                ("ratelimit.limit", "keys alone"),
                ("keys.migrateKeys", "/auth-keys/import"),
                ("rootKeys.createKey", "/admin-keys"), ("domains.listDomains", "no equivalent"),
            ] {
                let answer = try await server.unkey(operation, [:])
                check(answer, 404, "Not Found", "route_not_found")
                #expect(answer.errorText("detail")?.contains(reason) == true, "\(answer.text)")
            }
        }
    }
}
