import AuthKeys
import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Limit routes")
struct LimitRouteTests {
    private static let plans = "/admin/api/v1/plans"
    private static let keys = "/admin/api/v1/auth-keys"
    private static let body = #"{"description":" d ","limits":[{"name":"minute","limit":600,"per":"60s"}]}"#

    @Test("a plan is created, read, listed, replaced and deleted with its version as the entity tag")
    func plan() async throws {
        try await ControlServer.with { server in
            let plan = Self.plans + "/gold"
            #expect(try await server.send(.GET, plan).errorText("code") == "plan_not_found")
            let made = try await server.send(.PUT, plan, body: Self.body)
            #expect(made.status == 201 && made.headers.first(name: "ETag") == "\"1\"", "\(made.text)")
            #expect(made.object["name"] as? String == "gold" && made.object["description"] as? String == "d")
            #expect((made.object["limits"] as? [[String: Any]])?.first?["per"] as? String == "1m")
            let less = #"{"limits":[{"name":"day","limit":5,"per":"day"}]}"#
            let old = try await server.send(.PUT, plan, body: less, headers: [("If-Match", "\"2\"")])
            #expect(old.status == 412 && old.errorText("code") == "version_mismatch")
            let changed = try await server.send(.PUT, plan, body: less, headers: [("If-Match", "\"1\"")])
            #expect(changed.status == 200 && changed.headers.first(name: "ETag") == "\"2\"")
            #expect(changed.object["description"] == nil)
            #expect(try await server.send(.GET, plan).text == changed.text)
            #expect(try await server.send(.GET, Self.plans).objects.compactMap { $0["name"] as? String } == ["gold"])
            #expect(try await server.send(.DELETE, plan, headers: [("If-Match", "\"1\"")]).status == 412)
            #expect(try await server.send(.DELETE, plan).status == 204)
            #expect(try await server.send(.DELETE, plan).status == 404)
            let trail = try await server.send(.GET, "/admin/api/v1/audit-events?outcome=done").objects
            #expect(trail.compactMap { $0["action"] as? String } == ["plan.delete", "plan.set", "plan.set"])
        }
    }

    @Test("a plan that active keys name is not deleted")
    func used() async throws {
        try await ControlServer.with { server in
            _ = try await server.send(.PUT, Self.plans + "/gold", body: Self.body)
            let key = try await server.create(#"{"name":"n","plan":"gold"}"#).object["id"] ?? ""
            let refused = try await server.send(.DELETE, Self.plans + "/gold")
            #expect(refused.status == 409 && refused.errorText("code") == "plan_in_use", "\(refused.text)")
            _ = try await server.send(.POST, "\(Self.keys)/\(key)/deactivate")
            #expect(try await server.send(.DELETE, Self.plans + "/gold").status == 204)
        }
    }

    @Test("an owner is one segment of the path, whose slashes are encoded")
    func owner() async throws {
        try await ControlServer.with { server in
            let owner = "acme/café 1+1"
            let path = "/admin/api/v1/owners/\(PercentEncoding.encode(owner))/limits"
            let none = try await server.send(.GET, path)
            #expect(none.status == 200 && none.object["owner"] as? String == owner, "\(none.text)")
            #expect((none.object["limits"] as? [Any])?.isEmpty == true && none.headers.first(name: "ETag") == nil)
            let made = try await server.send(.PUT, path, body: Self.body)
            #expect(made.status == 201 && made.object["owner"] as? String == owner, "\(made.text)")
            #expect(try await server.send(.GET, path).text == made.text)
            #expect(try await server.store.limits(of: .owner(owner)) != nil)
            let event = try await server.send(.GET, "/admin/api/v1/audit-events").objects.first
            #expect(event?["action"] as? String == "owner_limits.set" && event?["owner"] as? String == owner)
            #expect(try await server.send(.DELETE, path).status == 204)
            #expect(try await server.send(.DELETE, path).status == 404)
        }
    }

    @Test(
        "an invalid request is refused by the name of its member",
        arguments: [
            ("plans/Gold", #"{"limits":[{"name":"a","concurrent":1}]}"#, "plan"),
            ("plans/gold", "{}", "limits"), ("plans/gold", #"{"limits":[]}"#, "limits"),
            ("plans/gold", #"{"limits":[{"name":"a","concurrent":0}]}"#, "limits[0].concurrent"),
            ("plans/gold", #"{"limits":[{"name":"a","concurrent":1}],"credits":{}}"#, "credits"),
            ("owners/a%2F/limits", #"{"limits":[{"name":"a","concurrent":1}]}"#, "owner"),
            (
                "owners/a\(String(repeating: "%CC%81", count: 31))/limits",
                #"{"limits":[{"name":"a","concurrent":1}]}"#, "owner"
            ),
            (
                "owners/a/limits",
                "{\"limits\":[\((1...5).map { "{\"name\":\"n\($0)\",\"concurrent\":1}" }.joined(separator: ","))]}",
                "limits"
            ),
        ])
    func invalid(_ path: String, _ body: String, _ param: String) async throws {
        try await ControlServer.with { server in
            let answer = try await server.send(.PUT, "/admin/api/v1/\(path)", body: body)
            #expect(answer.status == 400 && answer.errorText("param") == param, "\(answer.text)")
        }
    }

    @Test("the levels are those of the key, its plan, its owner and those above it; a key's limit replaces the plan's")
    func levels() async throws {
        try await ControlServer.with { server in
            _ = try await server.send(
                .PUT, Self.plans + "/gold",
                body: #"{"limits":[{"name":"minute","limit":600,"per":"60s"},{"name":"day","limit":5,"per":"day"}]}"#)
            _ = try await server.send(
                .PUT, "/admin/api/v1/owners/acme/limits", body: #"{"limits":[{"name":"all","concurrent":9}]}"#)
            let id =
                try await server.create(
                    #"{"name":"n","owner":"acme/pay","plan":"gold","limits":[{"name":"day","limit":7,"per":"day"}],"credits":{"remaining":3}}"#
                ).object["id"] ?? ""
            let shown = try await server.send(.GET, "\(Self.keys)/\(id)/limits").object
            let limits = try #require(shown["limits"] as? [[String: Any]])
            #expect(limits.map { $0["name"] as? String } == ["day", "minute", "all"])
            #expect(limits.map { $0["plan"] as? String } == [nil, "gold", nil])
            #expect(limits.map { $0["owner"] as? String } == [nil, nil, "acme"])
            #expect(limits.map { $0["remaining"] as? Int } == [7, 600, 9])
            #expect((shown["credits"] as? [String: Any])?["remaining"] as? Int == 3)
            for (name, status) in [("day", 204), ("minute", 204), ("all", 404), ("no", 404)] {
                let answer = try await server.send(.POST, "\(Self.keys)/\(id)/limits/\(name)/reset")
                #expect(answer.status == status, "\(name): \(answer.text)")
            }
            let trail = try await server.send(.GET, "/admin/api/v1/audit-events?action=key.reset_limit").objects
            #expect(trail.count { $0["outcome"] as? String == "done" } == 2)
        }
    }

    @Test("a limit of requests under way is not reset")
    func resetConcurrent() async throws {
        try await ControlServer.with { server in
            let id = try await server.create(#"{"name":"n","limits":[{"name":"a","concurrent":7}]}"#).object["id"] ?? ""
            let answer = try await server.send(.POST, "\(Self.keys)/\(id)/limits/a/reset")
            #expect(answer.status == 400 && answer.errorText("param") == "name", "\(answer.text)")
        }
    }

    @Test("credits are added and set, and a repeated request changes nothing")
    func credits() async throws {
        try await ControlServer.with { server in
            let id = try await server.create(#"{"name":"n","credits":{"remaining":3}}"#).object["id"] ?? ""
            func send(_ body: String, _ key: String? = nil) async throws -> ControlServer.Answer {
                try await server.send(
                    .POST, "\(Self.keys)/\(id)/credits", body: body,
                    headers: key.map { [("Idempotency-Key", $0)] } ?? [])
            }
            func remaining(_ answer: ControlServer.Answer) -> Int? {
                (answer.object["credits"] as? [String: Any])?["remaining"] as? Int
            }
            for _ in 0..<2 { #expect(try await remaining(send(#"{"add":5}"#, "k")) == 8) }
            #expect(try await send(#"{"add":6}"#, "k").errorText("code") == "idempotency_key_reused")
            let set = try await send(#"{"set":0}"#)
            #expect(remaining(set) == 0 && set.headers.first(name: "ETag") == "\"3\"")
            for (body, param) in [
                ("{}", "add"), (#"{"add":0}"#, "add"), (#"{"set":-1}"#, "set"), (#"{"add":1,"set":1}"#, "set"),
                (#"{"add":1.5}"#, "add"), (#"{"remaining":1}"#, "remaining"),
            ] {
                let answer = try await send(body)
                #expect(answer.status == 400 && answer.errorText("param") == param, "\(body): \(answer.text)")
            }
            let bare = try await server.create(#"{"name":"n"}"#).object["id"] ?? ""
            let without = try await server.send(.POST, "\(Self.keys)/\(bare)/credits", body: #"{"add":1}"#)
            #expect(without.status == 409 && without.errorText("code") == "credits_missing")
        }
    }
}
