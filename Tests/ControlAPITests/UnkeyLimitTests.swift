import AuthKeys
import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Limits and credits in Unkey's API")
struct UnkeyLimitTests {
    private let keys = "/admin/api/v1/auth-keys"

    private func rate(_ name: String, _ limit: Int, _ duration: Int, _ more: [String: Any] = [:]) -> [String: Any] {
        ["name": name, "limit": limit, "duration": duration].merging(more) { $1 }
    }

    private func shown(_ id: String, _ server: ControlServer) async throws -> [String: Any] {
        try await server.unkey("keys.getKey", ["keyId": id]).data
    }

    /// Returns the members of limits as comparable text.
    private func texts(_ limits: Any?) -> [String] {
        (limits as? [[String: Any]] ?? []).map { limit in
            limit.map { "\($0)=\($1)" }.sorted().joined(separator: " ")
        }
    }

    @Test("rate limits and credits of a new key are those of Keyward's API")
    func create() async throws {
        try await ControlServer.with { server in
            let id = try await server.unkeyKey([
                "credits": ["remaining": 7, "refill": ["interval": "monthly", "amount": 50, "refillDay": 31]],
                "ratelimits": [
                    rate("fast", 5, 1_500, ["autoApply": true]), rate("hour", 9, 3_600_000, ["autoApply": NSNull()]),
                    rate("day", 100, 86_400_000, ["autoApply": false]), rate("week", 200, 604_800_000),
                ],
            ]).id
            let key = try await server.send(.GET, "\(keys)/\(id)").object
            #expect(
                texts(key["limits"]) == [
                    "limit=5 name=fast per=1500ms", "asked=1 limit=9 name=hour per=1h",
                    "asked=1 limit=100 name=day per=day", "asked=1 limit=200 name=week per=week",
                ])
            let credits = try #require(key["credits"] as? [String: Any])
            #expect(credits["remaining"] as? Int == 7)
            let refill = try #require(credits["refill"] as? [String: Any])
            #expect(refill["amount"] as? Int == 50 && refill["every"] as? String == "month")
            #expect(refill["day"] as? Int == 31 && refill["mode"] as? String == "set")

            let data = try await shown(id, server)
            #expect(
                texts(data["ratelimits"]) == [
                    "autoApply=1 duration=1500 id=fast limit=5 name=fast",
                    "autoApply=0 duration=3600000 id=hour limit=9 name=hour",
                    "autoApply=0 duration=86400000 id=day limit=100 name=day",
                    "autoApply=0 duration=604800000 id=week limit=200 name=week",
                ])
            let own = try #require(data["credits"] as? [String: Any])
            #expect(own["remaining"] as? Int == 7)
            #expect((own["refill"] as? [String: Any])?["interval"] as? String == "monthly")
            #expect((own["refill"] as? [String: Any])?["refillDay"] as? Int == 31)
            for empty in [NSNull(), [String: Any](), ["remaining": NSNull()]] as [Any] {
                let bare = try await server.unkeyKey(["credits": empty, "ratelimits": NSNull()]).id
                let data = try await shown(bare, server)
                #expect(data["credits"] == nil && data["ratelimits"] == nil)
            }
        }
    }

    @Test("a change replaces the limits that the API shows, and keeps the others")
    func updateLimits() async throws {
        try await ControlServer.with { server in
            let made = try await server.create(
                #"{"name":"n","limits":[{"name":"rate","limit":5,"per":"1m"},{"name":"burst","limit":5,"per":"1m","burst":9},"#
                    + #"{"name":"slots","concurrent":3},{"name":"path","limit":5,"per":"1m","match":["GET /a"]}]}"#)
            let id = try #require(made.object["id"] as? String)
            func change(_ members: [String: Any]) async throws -> [String] {
                let answer = try await server.unkey("keys.updateKey", members.merging(["keyId": id]) { $1 })
                #expect(answer.status == 200, "\(answer.text)")
                let key = try await server.send(.GET, "\(keys)/\(id)").object
                return (key["limits"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
            }
            #expect(try await change(["name": "m"]) == ["rate", "burst", "slots", "path"])
            #expect(texts(try await shown(id, server)["ratelimits"]).count == 1)
            #expect(try await change(["ratelimits": [rate("new", 1, 1_000)]]) == ["new", "burst", "slots", "path"])
            let taken = try await server.unkey(
                "keys.updateKey", ["keyId": id, "ratelimits": [rate("slots", 1, 1_000)]])
            #expect(taken.status == 400 && taken.locations == ["body.ratelimits"], "\(taken.text)")
            #expect(try await change(["ratelimits": NSNull()]) == ["burst", "slots", "path"])
        }
    }

    @Test("a change of credits keeps what it omits, and null makes them unlimited")
    func updateCredits() async throws {
        try await ControlServer.with { server in
            let id = try await server.unkeyKey().id
            func change(_ credits: Any) async throws -> [String: Any]? {
                let answer = try await server.unkey("keys.updateKey", ["keyId": id, "credits": credits])
                #expect(answer.status == 200, "\(answer.text)")
                return try await shown(id, server)["credits"] as? [String: Any]
            }
            #expect(try await change(["refill": NSNull()]) == nil)
            let filled = try await change(["refill": ["interval": "daily", "amount": 20]])
            #expect(filled?["remaining"] as? Int == 20)
            let spent = try await change(["remaining": 3])
            #expect(spent?["remaining"] as? Int == 3)
            let refill = try #require(spent?["refill"] as? [String: Any])
            #expect(refill["interval"] as? String == "daily" && refill["amount"] as? Int == 20)
            #expect(refill["refillDay"] == nil)
            let single = try await change(["refill": NSNull()])
            #expect(single?["remaining"] as? Int == 3 && single?["refill"] == nil)
            #expect(try await change(["remaining": NSNull()]) == nil)
            #expect(try await change(["remaining": 4])?["remaining"] as? Int == 4)
            #expect(try await change(NSNull()) == nil)
        }
    }

    @Test("credits are set, incremented and decremented, and never fall below zero")
    func changeCredits() async throws {
        try await ControlServer.with { server in
            let id = try await server.unkeyKey().id
            func change(
                _ operation: String, _ value: Any?, headers: [(String, String)] = []
            ) async throws -> ControlServer.Answer {
                var body: [String: Any] = ["keyId": id, "operation": operation]
                body["value"] = value
                return try await server.unkey("keys.updateCredits", body, headers: headers)
            }
            let unlimited = try await change("increment", 5)
            #expect(unlimited.status == 400 && unlimited.locations == ["body.operation"], "\(unlimited.text)")
            for (operation, value, left) in [
                ("set", 10, 10), ("increment", 5, 15), ("decrement", 4, 11), ("increment", 0, 11), ("decrement", 0, 11),
                ("decrement", 100, 0), ("increment", 2, 2), ("set", 0, 0), ("set", 8, 8),
            ] {
                let answer = try await change(operation, value)
                #expect(answer.status == 200 && answer.data["remaining"] as? Int == left, "\(operation) \(value)")
            }
            let once = [("Idempotency-Key", "once")]
            for _ in 0..<2 {
                #expect(try await change("increment", 1, headers: once).data["remaining"] as? Int == 9)
            }
            #expect(try await change("increment", 2, headers: once).status == 409)
            for value in [NSNull(), nil] as [Any?] {
                _ = try await change("set", 1)
                let answer = try await change("set", value)
                #expect(answer.status == 200 && answer.data["remaining"] is NSNull, "\(answer.text)")
                #expect(try await shown(id, server)["credits"] == nil)
            }
            let never = KeyID.generate().description
            let absent = try await server.unkey(
                "keys.updateCredits", ["keyId": never, "operation": "set", "value": 1])
            #expect(absent.status == 404)
            let actions = try await server.store.events(AuditQuery(limit: 100, refused: false)).map(\.action)
            #expect(actions.contains("key.change_credits") && actions.contains("key.update"))
        }
    }

    @Test("limits and credits that Unkey's API sets apply to verifications")
    func verify() async throws {
        try await ControlServer.with { server in
            let limited = try await server.unkeyKey(["ratelimits": [rate("r", 1, 60_000, ["autoApply": true])]])
            for code in ["VALID", "RATE_LIMITED"] {
                let verdict = try await server.unkey("keys.verifyKey", ["key": limited.token])
                #expect(verdict.data["code"] as? String == code, "\(verdict.text)")
            }
            let asked = try await server.unkeyKey(["ratelimits": [rate("r", 1, 60_000)]])
            for code in ["VALID", "VALID"] {
                #expect(try await server.unkey("keys.verifyKey", ["key": asked.token]).data["code"] as? String == code)
            }
            for code in ["VALID", "RATE_LIMITED"] {
                let question: [String: Any] = ["key": asked.token, "ratelimits": [["name": "r"]]]
                #expect(try await server.unkey("keys.verifyKey", question).data["code"] as? String == code)
            }
        }
    }
}
