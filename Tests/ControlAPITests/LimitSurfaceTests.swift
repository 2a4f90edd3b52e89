import AuthKeys
import Foundation
import HTTPCredentials
import NIOHTTP1
import RequestLog
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Limits at the control listener")
struct LimitSurfaceTests {
    private static let policyField = #""hour";q=2;w=3600"#

    private func check(
        _ token: String, _ server: ControlServer, query: String = "", _ headers: [(String, String)] = []
    ) async throws -> ControlServer.Answer {
        let described = [("X-Original-Method", "GET"), ("X-Original-URI", "/"), ("Authorization", "Bearer \(token)")]
        return try await server.send(.GET, "/v1/forward-auth\(query)", admin: nil, headers: described + headers)
    }

    @Test("forward-auth states what is left, and refuses with 429 or with 403")
    func forwardAuth() async throws {
        try await ControlServer.with { server in
            let token = server.limitedKey([try ControlServer.hourly()], owner: "acme").token
            for left in [1, 0] {
                let answer = try await check(token, server)
                #expect(answer.status == 200 && answer.headers["RateLimit-Policy"] == [Self.policyField])
                #expect(answer.headers["RateLimit"].first?.hasPrefix(#""hour";r=\#(left);t="#) == true)
                #expect(answer.headers["X-Keyward-Owner"] == ["acme"])
            }
            for (query, status) in [("", 429), ("?limited=429", 429), ("?limited=403", 403)] {
                let answer = try await check(token, server, query: query)
                #expect(answer.status == status && answer.errorText("code") == "rate_limited")
                #expect(answer.errorText("type") == "rate_limit_error")
                #expect(answer.headers["X-Keyward-Status"] == ["429"])
                #expect(answer.headers["X-Keyward-Error"] == [answer.text])
                #expect(answer.headers["RateLimit-Policy"] == [Self.policyField])
                #expect(answer.headers["Retry-After"].first.flatMap { Int($0) } ?? 0 > 1_700)
            }
            let problem = try await check(token, server, [("Accept", "application/problem+json")])
            #expect(problem.headers["Content-Type"] == ["application/problem+json"])
            #expect(problem.object["status"] as? Int == 429 && problem.object["code"] as? String == "rate_limited")
            server.requestLog.close()
            let lines = try #require(server.requestLog.rows).takeLines()
            #expect(lines.map(\.outcome) == [.allowed, .allowed, .limited, .limited, .limited, .limited])
            #expect(
                lines.allSatisfy { $0.keyID != nil && $0.owner == "acme" && $0.status == ($0.code == nil ? 200 : 429) })
        }
    }

    @Test("forward-auth takes the units that the proxy states")
    func forwardAuthCost() async throws {
        try await ControlServer.with { server in
            let token = server.limitedKey([try ControlServer.hourly("hour", 10)]).token
            #expect(
                try await check(token, server, query: "?cost=4").headers["RateLimit"].first?.contains("r=6;") == true)
            #expect(
                try await check(token, server, query: "?cost=0").headers["RateLimit"].first?.contains("r=6;") == true)
            for query in [
                "?cost=", "?cost=-1", "?cost=x", "?cost=1.5", "?cost=1&cost=1", "?cost=1000000000001", "?limited=401",
            ] {
                let answer = try await check(token, server, query: query)
                #expect(answer.status == 403 && answer.errorText("code") == "validation_failed", "\(query)")
            }
            #expect(try await check(token, server).headers["RateLimit"].first?.contains("r=5;") == true)
            let free = server.limitedKey([]).token
            #expect(try await check(free, server).headers["RateLimit"].isEmpty)
        }
    }

    private func verify(_ members: String, _ server: ControlServer, _ token: String) async throws
        -> ControlServer.Answer
    {
        try await server.send(.POST, "/v1/verify", body: "{\"key\":\"\(token)\"\(members)}")
    }

    @Test("verify takes a unit, shows the limits, and refuses with their code")
    func verify() async throws {
        try await ControlServer.with { server in
            let token = server.limitedKey([try ControlServer.hourly()]).token
            for (members, left) in [("", 1), (#","cost":0"#, 1), (#","cost":1"#, 0)] {
                let answer = try await verify(members, server, token)
                let limits = answer.object["limits"] as? [[String: Any]] ?? []
                #expect(answer.object["code"] as? String == "VALID" && limits.count == 1, "\(answer.text)")
                #expect(limits.first?["name"] as? String == "hour" && limits.first?["remaining"] as? Int == left)
                #expect(limits.first?["limit"] as? Int == 2 && limits.first?["exceeded"] as? Bool == false)
                #expect(limits.first?["reset_seconds"] as? Int ?? 0 > 1_700)
            }
            for members in ["", #","cost":0"#] {
                let answer = try await verify(members, server, token)
                #expect(answer.status == 200 && answer.object["code"] as? String == "RATE_LIMITED", "\(answer.text)")
                #expect(answer.object["valid"] as? Bool == false && answer.object["status"] as? Int == 429)
                #expect(answer.object["message"] as? String == "the API key has reached a rate limit: 'hour'")
                #expect(answer.object["retry_after"] as? Int ?? 0 > 1_700)
                let limits = answer.object["limits"] as? [[String: Any]] ?? []
                #expect(limits.first?["exceeded"] as? Bool == true && limits.first?["remaining"] as? Int == 0)
            }
            let free = server.limitedKey([]).token
            #expect(try await verify("", server, free).object["limits"] == nil)
        }
    }

    @Test("verify takes units of the limits that the request names")
    func verifyAsked() async throws {
        try await ControlServer.with { server in
            let limits = [try ControlServer.hourly("hour", 9), try ControlServer.hourly("export", 3, isAsked: true)]
            let token = server.limitedKey(limits).token
            let asked = #","limits":[{"name":"export","cost":2}]"#
            let first = try await verify(asked, server, token)
            let states = first.object["limits"] as? [[String: Any]] ?? []
            #expect(states.map { $0["name"] as? String } == ["hour", "export"], "\(first.text)")
            #expect(states.map { $0["remaining"] as? Int } == [8, 1])
            #expect(try await verify(asked, server, token).object["code"] as? String == "RATE_LIMITED")
            for (members, param) in [
                (#","limits":[{"name":"none"}]"#, "limits"), (#","limits":[{"name":"EXPORT"}]"#, "limits[0].name"),
                (#","limits":[{"name":"a","cost":-1}]"#, "limits[0].cost"),
                (#","limits":[{"name":"a","costs":1}]"#, "limits[0].costs"),
                (#","limits":[{"cost":1}]"#, "limits[0].name"), (#","limits":[{"name":"a"},{"name":"a"}]"#, "limits"),
                (#","cost":-1"#, "cost"), (#","cost":1000000000001"#, "cost"),
            ] {
                let answer = try await verify(members, server, token)
                #expect(answer.status == 400 && answer.errorText("param") == param, "\(members): \(answer.text)")
            }
            let question = #"{"key":"\#(token)","limits":[{"name":"none"}]}"#
            let batch = try await server.send(
                .POST, "/v1/verify/batch", body: #"{"requests":[\#(question),{"key":"\#(token)"}]}"#)
            let codes = (batch.object["results"] as? [[String: Any]])?.map { $0["code"] as? String }
            #expect(codes == ["LIMIT_UNKNOWN", "VALID"], "\(batch.text)")
        }
    }

    @Test("introspection takes nothing, and a limited key stays active")
    func introspection() async throws {
        try await ControlServer.with { server in
            let token = server.limitedKey([try ControlServer.hourly("hour", 1)]).token
            func isActive() async throws -> Bool? {
                let answer = try await server.send(
                    .POST, "/v1/introspect", body: "token=\(token)",
                    headers: [("Content-Type", "application/x-www-form-urlencoded")])
                return answer.object["active"] as? Bool
            }
            for _ in 0..<3 { #expect(try await isActive() == true) }
            #expect(try await verify("", server, token).object["code"] as? String == "VALID")
            #expect(try await verify("", server, token).object["code"] as? String == "RATE_LIMITED")
            #expect(try await isActive() == true)
        }
    }

    @Test("Unkey's verification takes units, and shows the limits in its own form")
    func unkey() async throws {
        try await ControlServer.with { server in
            let token = server.limitedKey([try ControlServer.hourly("hour", 2)]).token
            let first = try await server.unkey("keys.verifyKey", ["key": token])
            let limit = try #require((first.data["ratelimits"] as? [[String: Any]])?.first, "\(first.text)")
            #expect(limit["id"] as? String == "hour" && limit["name"] as? String == "hour")
            #expect(limit["limit"] as? Int == 2 && limit["duration"] as? Int == 3_600_000)
            #expect(limit["remaining"] as? Int == 1 && limit["exceeded"] as? Bool == false)
            #expect(limit["autoApply"] as? Bool == true)
            #expect(limit["reset"] as? Int64 ?? 0 > Timestamp.now.milliseconds)
            _ = try await server.unkey("keys.verifyKey", ["key": token, "credits": ["cost": 0]])
            let refused = try await server.unkey("keys.verifyKey", ["key": token])
            #expect(refused.data["code"] as? String == "RATE_LIMITED" && refused.data["valid"] as? Bool == false)
            #expect((refused.data["ratelimits"] as? [[String: Any]])?.first?["exceeded"] as? Bool == true)
        }
    }

    @Test("Unkey's verification names limits of the key, or defines its own")
    func unkeyAsked() async throws {
        try await ControlServer.with { server in
            let token = server.limitedKey([try ControlServer.hourly("export", 5, isAsked: true)]).token
            func ask(_ limits: [[String: Any]]) async throws -> ControlServer.Answer {
                try await server.unkey("keys.verifyKey", ["key": token, "ratelimits": limits])
            }
            let named = try await ask([["name": "export", "cost": 2]])
            let limit = (named.data["ratelimits"] as? [[String: Any]])?.first
            #expect(limit?["remaining"] as? Int == 3 && limit?["autoApply"] as? Bool == false, "\(named.text)")
            let own: [String: Any] = ["name": "tokens", "limit": 3, "duration": 60_000, "cost": 2]
            let defined = try await ask([own])
            let state = (defined.data["ratelimits"] as? [[String: Any]])?.first
            #expect(state?["name"] as? String == "tokens" && state?["duration"] as? Int == 60_000, "\(defined.text)")
            #expect(state?["remaining"] as? Int == 1)
            #expect(try await ask([own]).data["code"] as? String == "RATE_LIMITED")
            for (limits, location) in [
                ([["name": "none"]], "body.ratelimits"), ([["name": "A_b"]], "body.ratelimits[0].name"),
                ([["name": "a", "limit": 1]], "body.ratelimits[0].duration"),
                ([["name": "a", "duration": 1_000]], "body.ratelimits[0].limit"),
                ([["name": "a", "limit": 1, "duration": 999]], "body.ratelimits[0].duration"),
                ([["name": "a", "cost": -1]], "body.ratelimits[0].cost"), ([["cost": 1]], "body.ratelimits[0].name"),
            ] as [([[String: Any]], String)] {
                let answer = try await ask(limits)
                #expect(answer.status == 400 && answer.locations == [location], "\(limits): \(answer.text)")
            }
        }
    }
}
