import AuthKeys
import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Unkey key routes")
struct UnkeyKeyTests {
    private let keys = "/admin/api/v1/auth-keys"

    @Test("a key created by Unkey's API is also a key of Keyward's API")
    func create() async throws {
        try await ControlServer.with { server in
            let answer = try await server.unkey(
                "keys.createKey",
                [
                    "apiId": "api_1", "name": "billing", "prefix": "sk_live", "externalId": "acme", "byteLength": 16,
                    "meta": ["plan": "pro"], "permissions": ["documents:read"], "expires": 32_472_144_000_000,
                    "enabled": false, "recoverable": false, "roles": [String](), "ratelimits": [String](),
                ])
            #expect(answer.status == 200 && answer.headers["Cache-Control"] == ["no-store"])
            let meta = answer.object["meta"] as? [String: String]
            #expect(meta == ["requestId": answer.headers.first(name: "X-Request-Id") ?? ""])
            let id = try #require(answer.data["keyId"] as? String)
            #expect((answer.data["key"] as? String)?.hasPrefix("sk_live_") == true)
            let key = try await server.send(.GET, "\(keys)/\(id)").object
            #expect(key["name"] as? String == "billing" && key["owner"] as? String == "acme")
            #expect(key["labels"] as? [String: String] == ["unkey.api_id": "api_1"])
            #expect(key["scopes"] as? [String] == ["documents:read"] && key["enabled"] as? Bool == false)
            #expect(key["metadata"] as? [String: String] == ["plan": "pro"])
            #expect(key["expires_at"] as? String == "2999-01-01T00:00:00Z")
        }
    }

    @Test("a key without an expiry gets the default lifetime, and null means never")
    func lifetimes() async throws {
        try await ControlServer.with(lifetimes: KeyLifetimes(standard: .seconds(3_600))) { server in
            let (ending, endless) = try await (server.unkeyKey(), server.unkeyKey(["expires": NSNull()]))
            let shown = try await server.unkey("keys.getKey", ["keyId": ending.id])
            #expect(shown.data["expires"] is Int)
            let never = try await server.unkey("keys.getKey", ["keyId": endless.id])
            #expect(never.status == 200 && never.data["expires"] == nil)
        }
    }

    @Test("a repeated creation or rotation with the same Idempotency-Key is refused")
    func idempotency() async throws {
        try await ControlServer.with { server in
            let headers = [("Idempotency-Key", "once")]
            let first = try await server.unkey("keys.createKey", ["apiId": "a"], headers: headers)
            let second = try await server.unkey("keys.createKey", ["apiId": "a"], headers: headers)
            #expect(first.status == 200 && second.status == 409, "\(second.text)")
            let id = try #require(first.data["keyId"] as? String)
            let again = [("Idempotency-Key", "again")]
            let reroll: [String: Any] = ["keyId": id, "expiration": 1_500]
            let rerolled = try await server.unkey("keys.rerollKey", reroll, headers: again)
            #expect(rerolled.status == 200)
            let rerolledAgain = try await server.unkey("keys.rerollKey", reroll, headers: again)
            #expect(rerolledAgain.status == 409)
        }
    }

    @Test("metadata and permissions are replaced; null clears a member, or leaves one that cannot be null")
    func update() async throws {
        try await ControlServer.with { server in
            let (id, _) = try await server.unkeyKey([
                "name": "n", "externalId": "acme", "meta": ["a": 1, "b": ["c": 2]], "permissions": ["x"],
                "enabled": false,
            ])
            func change(_ members: [String: Any]) async throws -> [String: Any] {
                let answer = try await server.unkey("keys.updateKey", members.merging(["keyId": id]) { $1 })
                #expect(answer.status == 200 && answer.data.isEmpty && answer.object["data"] != nil, "\(answer.text)")
                return try await server.unkey("keys.getKey", ["keyId": id]).data
            }
            let same = try await change([:])
            #expect(same["name"] as? String == "n" && same["permissions"] as? [String] == ["x"])
            let replaced = try await change(["meta": ["b": ["d": 3]], "permissions": ["y"]])
            #expect(replaced["meta"] as? [String: [String: Int]] == ["b": ["d": 3]])
            #expect(replaced["permissions"] as? [String] == ["y"])
            let null = try await change([
                "name": NSNull(), "externalId": NSNull(), "meta": NSNull(), "enabled": NSNull(),
                "permissions": NSNull(), "credits": NSNull(), "ratelimits": NSNull(),
            ])
            #expect(null["name"] as? String == "unnamed" && null["identity"] == nil && null["meta"] == nil)
            #expect(null["enabled"] as? Bool == false && null["permissions"] as? [String] == ["y"])
        }
    }

    @Test("concurrent additions and removals of permissions all take effect")
    func permissions() async throws {
        try await ControlServer.with { server in
            let (id, _) = try await server.unkeyKey(["permissions": ["old"]])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let body: [String: Any] = ["keyId": id, "permissions": ["p\(number)"]]
                        let added = try await server.unkey("keys.addPermissions", body)
                        #expect(added.status == 200)
                    }
                }
                try await group.waitForAll()
            }
            let answer = try await server.unkey(
                "keys.removePermissions", ["keyId": id, "permissions": ["old", "new"]])
            #expect(Set(answer.list.compactMap { $0["slug"] as? String }) == Set((0..<20).map { "p\($0)" }))
        }
    }

    @Test(
        "a list pages through the keys of an apiId that are not deactivated, within the admin key's owner"
    )
    func list() async throws {
        try await ControlServer.with { server in
            var ids: [String] = []
            for number in 0..<6 {
                ids.append(try await server.unkeyKey(["externalId": "o\(number % 2)", "enabled": number != 0]).id)
            }
            _ = try await server.unkeyKey(["apiId": "api_2", "externalId": "o0"])
            let deleted = try await server.unkey("keys.deleteKey", ["keyId": ids[2]])
            #expect(deleted.status == 200)
            var found: [String] = []
            var cursor: String?
            repeat {
                var question: [String: Any] = ["apiId": "api_1", "limit": 2, "revalidateKeysCache": true]
                question["cursor"] = cursor
                let page = try await server.unkey("apis.listKeys", question)
                found += page.list.compactMap { $0["keyId"] as? String }
                let pagination = try #require(page.object["pagination"] as? [String: Any], "\(page.text)")
                cursor = pagination["cursor"] as? String
                #expect(pagination["hasMore"] as? Bool == (cursor != nil) && page.list.count == (cursor == nil ? 1 : 2))
            } while cursor != nil
            #expect(found == [5, 4, 3, 1, 0].map { ids[$0] })
            let admin = try await server.adminKey(#""permissions":["keys:read"],"owner":"o0""#)
            let own = try await server.unkey("apis.listKeys", ["apiId": "api_1"], admin: admin)
            #expect(own.list.map { $0["keyId"] as? String } == [ids[4], ids[0]])
            let other = try await server.unkey("apis.listKeys", ["apiId": "api_1", "externalId": "o1"], admin: admin)
            #expect(other.status == 200 && other.list.isEmpty)
        }
    }

    @Test("a rotation keeps the id, and the old secret for the requested time")
    func reroll() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await server.unkeyKey(["prefix": "sk"])
            let answer = try await server.unkey("keys.rerollKey", ["keyId": id, "expiration": 86_400_000])
            #expect(answer.status == 200 && answer.data["keyId"] as? String == id)
            let new = try #require(answer.data["key"] as? String)
            #expect(new.hasPrefix("sk_") && new != token)
            let key = try await server.send(.GET, "\(keys)/\(id)").object
            #expect((key["previous_secret"] as? [String: Any])?["expires_at"] is String)
            _ = try await server.unkey("keys.rerollKey", ["keyId": id, "expiration": 0])
            let verified = try await server.unkey("keys.verifyKey", ["key": new])
            #expect(verified.data["code"] as? String == "EXPIRED")
        }
    }

    @Test("a deactivated key is not found, but can be deleted again and permanently")
    func delete() async throws {
        try await ControlServer.with { server in
            let (id, token) = try await server.unkeyKey()
            for _ in 0..<2 {
                let answer = try await server.unkey("keys.deleteKey", ["keyId": id])
                #expect(answer.status == 200 && answer.object["data"] != nil, "\(answer.text)")
            }
            let kept = try await server.send(.GET, "\(keys)/\(id)")
            #expect(kept.object["deactivated_at"] != nil)
            for (operation, members) in [
                ("getKey", [:]), ("updateKey", ["name": "m"]), ("rerollKey", ["expiration": 0]),
                ("addPermissions", ["permissions": ["x"]]),
            ] as [(String, [String: Any])] {
                let answer = try await server.unkey("keys.\(operation)", members.merging(["keyId": id]) { $1 })
                #expect(answer.status == 404, "\(operation): \(answer.text)")
            }
            let who = try await server.unkey("keys.whoami", ["key": token])
            #expect(who.status == 404)
            let deleted = try await server.unkey("keys.deleteKey", ["keyId": id, "permanent": true])
            #expect(deleted.status == 200)
            let keptAgain = try await server.send(.GET, "\(keys)/\(id)")
            #expect(keptAgain.status == 404)
            let deletedAgain = try await server.unkey("keys.deleteKey", ["keyId": id, "permanent": true])
            #expect(deletedAgain.status == 404)
        }
    }

    @Test("each operation requires its permission and refuses data keys")
    func needs() async throws {
        try await ControlServer.with { server in
            func operations(_ key: (id: String, token: String)) -> [(String, [String: Any], [AdminPermission])] {
                [
                    ("keys.createKey", ["apiId": "a"], [.keysWrite]), ("keys.getKey", ["keyId": key.id], [.keysRead]),
                    ("keys.updateKey", ["keyId": key.id], [.keysWrite]),
                    ("keys.addPermissions", ["keyId": key.id, "permissions": ["x"]], [.keysWrite]),
                    ("keys.removePermissions", ["keyId": key.id, "permissions": ["x"]], [.keysWrite]),
                    ("keys.setPermissions", ["keyId": key.id, "permissions": ["x"]], [.keysWrite]),
                    ("keys.rerollKey", ["keyId": key.id, "expiration": 60_000], [.keysRotate, .keysWrite]),
                    ("apis.listKeys", ["apiId": "a"], [.keysRead]),
                    ("keys.verifyKey", ["key": key.token], [.verify]), ("keys.whoami", ["key": key.token], [.verify]),
                    ("keys.deleteKey", ["keyId": key.id], [.keysWrite]),
                ]
            }
            for permission in AdminPermission.allCases {
                let admin = try await server.adminKey("\"permissions\":[\"\(permission.rawValue)\"]")
                for (operation, body, needed) in operations(try await server.unkeyKey()) {
                    let answer = try await server.unkey(operation, body, admin: admin)
                    let expected = needed.contains(permission) ? 200 : 403
                    #expect(answer.status == expected, "\(permission) \(operation): \(answer.text)")
                }
            }
            let key = try await server.unkeyKey()
            for (operation, body, _) in operations(key) {
                for admin in [nil, key.token, "junk"] {
                    let answer = try await server.unkey(operation, body, admin: admin)
                    #expect(answer.status == 401 && answer.headers.contains(name: "WWW-Authenticate"), "\(operation)")
                }
            }
        }
    }

    @Test("an admin key for one owner reaches only that owner's keys")
    func owners() async throws {
        try await ControlServer.with { server in
            let admin = try await server.adminKey(
                #""permissions":["keys:read","keys:write","verify"],"owner":"acme""#)
            let (other, otherToken) = try await server.unkeyKey(["externalId": "else"])
            for (operation, members) in [
                ("getKey", [:]), ("updateKey", ["name": "m"]), ("rerollKey", ["expiration": 0]), ("deleteKey", [:]),
                ("setPermissions", ["permissions": ["x"]]), ("updateCredits", ["operation": "set", "value": 1]),
            ] as [(String, [String: Any])] {
                let body = members.merging(["keyId": other]) { $1 }
                let answer = try await server.unkey("keys.\(operation)", body, admin: admin)
                #expect(answer.status == 404, "\(operation)")
            }
            let who = try await server.unkey("keys.whoami", ["key": otherToken], admin: admin)
            #expect(who.status == 404)
            let verdict = try await server.unkey("keys.verifyKey", ["key": otherToken], admin: admin)
            #expect(verdict.data["code"] as? String == "NOT_FOUND" && verdict.data["keyId"] == nil)

            let made = try await server.unkey("keys.createKey", ["apiId": "a"], admin: admin)
            let id = try #require(made.data["keyId"] as? String)
            let own = try await server.unkey("keys.getKey", ["keyId": id], admin: admin).data
            #expect((own["identity"] as? [String: String])?["externalId"] == "acme")
            let given = try await server.unkey(
                "keys.createKey", ["apiId": "a", "externalId": "else"], admin: admin)
            #expect(given.status == 403)
            let moved = try await server.unkey("keys.updateKey", ["keyId": id, "externalId": NSNull()], admin: admin)
            #expect(moved.status == 403)
        }
    }

    @Test("changes and refusals are recorded in the trail as by Keyward's API")
    func trail() async throws {
        try await ControlServer.with { server in
            let id = try await server.unkeyKey().id
            _ = try await server.unkey("keys.updateKey", ["keyId": id, "name": "m"])
            _ = try await server.unkey("keys.addPermissions", ["keyId": id, "permissions": ["x"]])
            _ = try await server.unkey("keys.rerollKey", ["keyId": id, "expiration": 0])
            _ = try await server.unkey("keys.deleteKey", ["keyId": id, "permanent": true])
            _ = try await server.unkey("keys.getKey", ["keyId": id])
            _ = try await server.unkey("apis.listKeys", ["apiId": "a", "limit": 0])
            let reader = try await server.adminKey(#""permissions":["verify"]"#)
            let done = try await server.store.events(AuditQuery(limit: 100, refused: false)).reversed()
            #expect(
                done.map(\.action) == [
                    "key.create", "key.update", "key.update", "key.rotate", "key.deactivate", "key.delete",
                    "admin_key.create",
                ])
            #expect(done.dropLast().allSatisfy { $0.subject?.description == id })

            let never = KeyID.generate().description
            let attempts: [(String, [String: Any], String?, String, String, Bool)] = [
                (
                    "keys.createKey", ["apiId": "a", "name": " "], ControlServer.adminKey, "key.create",
                    "validation_failed", false
                ),
                ("keys.updateKey", ["keyId": never], ControlServer.adminKey, "key.update", "key_not_found", true),
                ("keys.deleteKey", ["keyId": never], ControlServer.adminKey, "key.deactivate", "key_not_found", true),
                (
                    "keys.rerollKey", ["keyId": never, "expiration": -1], ControlServer.adminKey, "key.rotate",
                    "validation_failed", true
                ),
                // The body of an unauthorized caller is not read.
                ("keys.getKey", ["keyId": never], reader, "key.read", "permission_missing", false),
                ("keys.setPermissions", ["keyId": never], "junk", "key.update", "key_unknown", false),
                ("apis.listKeys", ["apiId": "a"], nil, "key.read", "key_missing", false),
            ]
            for (operation, body, admin, _, _, _) in attempts {
                let answer = try await server.unkey(operation, body, admin: admin)
                #expect((400...404).contains(answer.status), "\(answer.text)")
            }
            _ = try await eventually {
                try await server.store.events(AuditQuery(limit: 100, refused: true)).count >= attempts.count
            }
            let refused = try await server.store.events(AuditQuery(limit: 100, refused: true)).reversed()
            #expect(refused.count == attempts.count)
            for (event, attempt) in zip(refused, attempts) {
                #expect(event.action == attempt.3 && event.code == attempt.4, "\(event)")
                #expect((event.subject?.description == never) == attempt.5, "\(event)")
            }
        }
    }
}
