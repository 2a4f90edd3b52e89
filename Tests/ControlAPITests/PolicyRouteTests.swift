import AuthKeys
import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Policies in key routes")
struct PolicyRouteTests {
    private let path = "/admin/api/v1/auth-keys"
    private let policy = #"""
        "not_before":"2020-01-01T00:00:00Z","allowed_methods":["get","POST","GET"],"allowed_paths":["/v1/","/v1/*"],
        "allowed_cidrs":["10.0.0.0/8","192.0.2.1"],"report_only":["allowed_cidrs"],"scopes":["docs:*"]
        """#

    @Test("a policy is set at creation, shown in normalized form, and changed")
    func life() async throws {
        try await ControlServer.with { server in
            let created = try await server.create("{\"name\":\"n\",\(policy)}")
            #expect(created.status == 201)
            let key = created.object
            #expect(key["not_before"] as? String == "2020-01-01T00:00:00Z")
            #expect(key["allowed_methods"] as? [String] == ["GET", "POST"])
            #expect(key["allowed_paths"] as? [String] == ["/v1", "/v1/*"])
            #expect(key["allowed_cidrs"] as? [String] == ["10.0.0.0/8", "192.0.2.1/32"])
            #expect(key["report_only"] as? [String] == ["allowed_cidrs"])
            let id = try #require(key["id"] as? String)
            let patch = #"{"allowed_methods":null,"not_before":null,"allowed_paths":null,"report_only":["scopes"]}"#
            let changed = try await server.send(.PATCH, "\(path)/\(id)", body: patch).object
            #expect(
                changed["allowed_methods"] == nil && changed["not_before"] == nil && changed["allowed_paths"] == nil)
            #expect(changed["report_only"] as? [String] == ["scopes"])
            #expect(changed["allowed_cidrs"] as? [String] == ["10.0.0.0/8", "192.0.2.1/32"])
        }
    }

    @Test(
        "an invalid rule is refused by name",
        arguments: [
            (#""allowed_methods":["G T"]"#, "allowed_methods"), (#""allowed_methods":"GET""#, "allowed_methods"),
            (#""allowed_paths":["v1"]"#, "allowed_paths"), (#""allowed_paths":["/a/../b"]"#, "allowed_paths"),
            (#""allowed_cidrs":["10.0.0.1/8"]"#, "allowed_cidrs"), (#""allowed_cidrs":["host"]"#, "allowed_cidrs"),
            (#""report_only":["everything"]"#, "report_only"), (#""report_only":["limits."]"#, "report_only"),
            (#""limits":[{"name":"a","limit":1,"per":"1m","burst":0}]"#, "limits[0].burst"),
            (#""limits":"a""#, "limits"), (#""plan":"Gold""#, "plan"), (#""plan":"""#, "plan"),
            (#""credits":{"remaining":-1}"#, "credits.remaining"),
            (#""credits":{"refill":{}}"#, "credits.refill.amount"),
            (#""not_before":"soon""#, "not_before"),
            (#""not_before":"2031-01-01T00:00:00Z","expires_at":"2030-01-01T00:00:00Z""#, "not_before"),
        ])
    func refused(_ members: String, _ param: String) async throws {
        try await ControlServer.with { server in
            let answer = try await server.create("{\"name\":\"n\",\(members)}")
            #expect(answer.status == 400 && answer.errorText("param") == param, "\(answer.text)")
        }
    }

    @Test("limits, plan and credits are set at creation, changed and cleared")
    func limits() async throws {
        try await ControlServer.with { server in
            let made = try await server.create(
                #"{"name":"n","limits":[{"name":"minute","limit":600,"per":"60s"}],"plan":"gold","#
                    + #""credits":{"refill":{"amount":9,"every":"week"}},"report_only":["limits.minute","credits"]}"#)
            #expect(made.status == 201, "\(made.text)")
            let key = made.object
            #expect((key["limits"] as? [[String: Any]])?.first?["per"] as? String == "1m")
            #expect(key["plan"] as? String == "gold")
            #expect((key["credits"] as? [String: Any])?["remaining"] as? Int == 9)
            #expect(key["report_only"] as? [String] == ["limits.minute", "credits"])
            let target = "\(path)/\(try #require(key["id"] as? String))"
            let more = try await server.send(
                .PATCH, target, body: #"{"limits":[{"name":"a","concurrent":2}],"credits":{"remaining":3}}"#
            ).object
            #expect((more["limits"] as? [[String: Any]])?.map { $0["name"] as? String } == ["a"])
            let credits = more["credits"] as? [String: Any]
            #expect(credits?["remaining"] as? Int == 3 && credits?["refill"] != nil)
            let bare = try await server.send(.PATCH, target, body: #"{"limits":null,"plan":null,"credits":null}"#)
            #expect(bare.status == 200)
            #expect(["limits", "plan", "credits"].allSatisfy { bare.object[$0] == nil }, "\(bare.text)")
            let event = try await server.send(.GET, "/admin/api/v1/audit-events?action=key.update").objects.first
            let changes = event?["changes"] as? [String: Any]
            #expect(["limits", "plan", "credits"].allSatisfy { changes?[$0] != nil }, "\(event ?? [:])")
        }
    }

    @Test("explain returns the decision and its steps")
    func explain() async throws {
        try await ControlServer.with { server in
            let id = try #require(try await server.create("{\"name\":\"n\",\(policy)}").object["id"] as? String)
            func explain(_ query: String) async throws -> ControlServer.Answer {
                try await server.send(.GET, "\(path)/\(id)/explain?\(query)")
            }
            let allowed = try await explain("method=post&path=/v1/a&ip=11.0.0.1&scope=docs:read%20docs:write").object
            #expect(allowed["allowed"] as? Bool == true && allowed["status"] as? Int == 200 && allowed["code"] == nil)
            let steps = try #require(allowed["decision"] as? [[String: Any]])
            #expect(
                steps.map { $0["rule"] as? String }
                    == ["state", "not_before", "allowed_cidrs", "allowed_methods", "allowed_paths", "scopes"])
            #expect(
                steps.map { $0["outcome"] as? String } == ["pass", "pass", "report", "pass", "pass", "pass"])
            let refused = try await explain("method=DELETE&path=/v1/a").object
            #expect(refused["allowed"] as? Bool == false && refused["status"] as? Int == 403)
            #expect(refused["code"] as? String == "method_not_allowed")
            #expect(try await explain("path=/v1/%252e%252e&method=GET").object["code"] as? String == "path_ambiguous")
            for query in ["ip=nowhere", "ip="] { #expect(try await explain(query).errorText("param") == "ip") }
            #expect(try await explain("scope=docs:*").errorText("param") == "scope")
            _ = try await server.send(.POST, "\(path)/\(id)/deactivate")
            #expect(try await explain("method=GET&path=/v1/a").object["code"] as? String == "key_inactive")
            #expect(try await server.send(.GET, "\(path)/\(KeyID.generate())/explain").status == 404)
        }
    }

    @Test("a key without an expiry gets the default lifetime, and each lifetime has a maximum")
    func lifetimes() async throws {
        let lifetimes = KeyLifetimes(standard: .seconds(3_600), longest: .seconds(86_400))
        try await ControlServer.with(lifetimes: lifetimes) { server in
            let standard = try await server.create(#"{"name":"n"}"#).object
            let end = try Timestamp(rfc3339: try #require(standard["expires_at"] as? String))
            #expect(abs(end.microseconds - Timestamp.now.advanced(by: .seconds(3_600)).microseconds) < 60_000_000)
            for body in [
                #"{"name":"n","expires_at":null}"#,
                "{\"name\":\"n\",\"expires_at\":\"\(Timestamp.now.advanced(by: .seconds(90_000)))\"}",
            ] {
                let answer = try await server.create(body)
                #expect(answer.status == 400 && answer.errorText("param") == "expires_at", "\(body)")
            }
            let id = try #require(standard["id"] as? String)
            let never = try await server.send(.PATCH, "\(path)/\(id)", body: #"{"expires_at":null}"#)
            #expect(never.status == 400)
            #expect(try await server.send(.PATCH, "\(path)/\(id)", body: #"{"owner":"o"}"#).status == 200)
        }
        try await ControlServer.with(lifetimes: KeyLifetimes(standard: .seconds(3_600))) { server in
            let never = try await server.create(#"{"name":"n","expires_at":null}"#)
            #expect(never.status == 201 && never.object["expires_at"] == nil)
        }
    }
}
