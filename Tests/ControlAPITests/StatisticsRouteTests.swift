import AuthKeys
import KeyAdministration
import NIOHTTP1
import RequestLog
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Statistics route")
struct StatisticsRouteTests {
    private static let path = "/admin/api/v1/requests/stats"
    /// The beginning of an hour, 600 hours after the beginning of a day.
    private static let start = Timestamp(microseconds: 1_800_057_600_000_000)

    private static func time(_ minutes: Int64) -> Timestamp { start.advanced(by: .seconds(minutes * 60)) }

    private typealias Object = [String: Any]

    @Test("all requests are counted by time and outcome, with durations and a breakdown")
    func all() async throws {
        try await ControlServer.with { server in
            server.store.add(TrafficCounts(requestsOf: [nil, nil, .generate()], at: Self.time(1)))
            server.store.add(
                TrafficCounts(
                    requestsOf: [nil], at: Self.time(3), outcome: .denied, code: "key_missing", surface: .forwardAuth,
                    microseconds: 200))
            server.store.add(TrafficCounts(requestsOf: [nil], at: Self.time(60), outcome: .limited))
            let answer = try await server.send(
                .GET, "\(Self.path)?step=minute&since=\(Self.time(0))&until=\(Self.time(5))")
            #expect(answer.status == 200, "\(answer.text)")
            let series = try #require(answer.object["series"] as? [Object])
            #expect(series.compactMap { $0["requests"] as? Int } == [0, 3, 0, 1, 0])
            #expect(series.first?["at"] as? String == Self.time(0).description && series.first?["p50_ms"] == nil)
            #expect(series[1]["allowed"] as? Int == 3 && series[1]["bytes_out"] as? Int == 300)
            #expect(series[1]["mean_ms"] as? Double == 1.5 && series[1]["p99_ms"] as? Double == 2.5)
            let total = try #require(answer.object["total"] as? Object)
            #expect(total["requests"] as? Int == 4 && total["denied"] as? Int == 1 && total["limited"] as? Int == 0)
            let parts = try #require(answer.object["breakdown"] as? [Object])
            #expect(parts.compactMap { $0["requests"] as? Int } == [3, 1])
            #expect(parts[1]["surface"] as? String == "forward-auth" && parts[1]["code"] as? String == "key_missing")
            #expect(parts[0]["outcome"] as? String == "allowed" && parts[0]["code"] == nil)
            let hours = try await server.send(
                .GET, "\(Self.path)?since=\(Self.time(0))&until=\(Self.time(120))")
            let points = try #require(hours.object["series"] as? [Object])
            #expect(points.compactMap { $0["requests"] as? Int } == [4, 1])
        }
    }

    @Test("the usual period is an hour, a day or 30 days, and includes the current step")
    func periods() async throws {
        try await ControlServer.with { server in
            server.store.add(TrafficCounts(requestsOf: [.generate()]))
            for (query, count) in [("", 25), ("?step=minute", 61), ("?step=day", 31)] {
                let answer = try await server.send(.GET, Self.path + query)
                let series = try #require(answer.object["series"] as? [Object], "\(answer.text)")
                #expect(series.count == count, "\(query)")
                let ofKey = try await server.send(
                    .GET, "\(Self.path)\(query.isEmpty ? "?" : query + "&")key_id=\(KeyID.generate())")
                #expect((ofKey.object["series"] as? [Object])?.count == count, "\(ofKey.text)")
                #expect((answer.object["total"] as? Object)?["requests"] as? Int == 1, "\(query)")
            }
        }
    }

    @Test("invalid parameters are refused by name, and too many points with the limit")
    func invalid() async throws {
        try await ControlServer.with { server in
            for (query, param, text) in [
                ("step=week", "step", "minute, hour or day"), ("since=yesterday", "since", "such as 15m"),
                ("since=0s", "since", "such as 15m"), ("until=0", "until", "such as 15m"),
                ("until=2030-13-01T00:00:00Z", "until", "does not exist"), ("until=2030-01-01", "until", "RFC 3339"),
                ("key_id=x", "key_id", "id of a key"),
                ("owner=acme/*", "owner", "acme/**"), ("label=", "label", "empty"), ("steps=hour", "steps", "step"),
                ("since=2030-01-02T00:00:00Z&until=2030-01-02T00:00:00Z", "since", "before until"),
                ("step=minute&since=2d", "since", "at most 1500"),
                ("step=minute&key_id=\(KeyID.generate())&since=7h", "since", "at most 6 hours"),
                ("step=minute&owner=acme", "step", "hour or day"), ("step=minute&label=a", "step", "hour or day"),
            ] {
                let answer = try await server.send(.GET, "\(Self.path)?\(query)")
                #expect(answer.status == 400 && answer.errorText("param") == param, "\(query): \(answer.text)")
                #expect(answer.errorText("message")?.contains(text) == true, "\(query): \(answer.text)")
            }
        }
    }

    @Test("an admin key for an owner counts only requests of that subtree, whatever the filter")
    func owners() async throws {
        try await ControlServer.with { server in
            var ids: [String: String] = [:]
            for (number, owner) in ["acme", "acme/a", "acme/a/b", "acme/ab", "acme2"].enumerated() {
                let id = try await server.unkeyKey(["externalId": owner]).id
                ids[owner] = id
                let keyID = try #require(KeyID(id))
                // 1, 2, 4, 8 and 16 requests.
                for _ in 0..<(1 << number) { server.store.add(TrafficCounts(requestsOf: [keyID])) }
            }
            server.store.add(TrafficCounts(requestsOf: [nil, .generate()]))
            let permissions = #""permissions":["requests:read"]"#
            let admins: [(key: String, name: String)] = [
                (ControlServer.adminKey, "all"), (try await server.adminKey(#""owner":"acme/a",\#(permissions)"#), "a"),
            ]
            let queries: [(query: String, all: Int, limited: Int)] = [
                ("", 33, 6), ("owner=acme", 1, 0), ("owner=acme/**", 15, 6), ("owner=acme/a", 2, 2),
                ("owner=acme/a/**", 6, 6), ("owner=acme/a/b/**", 4, 4), ("owner=acme2/**", 16, 0), ("owner=x", 0, 0),
                ("key_id=\(ids["acme/a/b"] ?? "")", 4, 4), ("key_id=\(ids["acme/ab"] ?? "")", 8, 0),
                ("key_id=\(ids["acme"] ?? "")&owner=acme/**", 1, 0), ("key_id=\(KeyID.generate())", 0, 0),
            ]
            for (query, all, limited) in queries {
                for (admin, wanted) in zip(admins, [all, limited]) {
                    let answer = try await server.send(.GET, "\(Self.path)?\(query)", admin: admin.key)
                    #expect(answer.status == 200, "\(query): \(answer.text)")
                    let total = (answer.object["total"] as? Object)?["requests"] as? Int
                    #expect(total == wanted, "\(query) as \(admin.name)")
                    #expect((answer.object["breakdown"] != nil) == (query.isEmpty && admin.name == "all"))
                }
            }
            let byMinute = "step=minute&since=6h&key_id=\(ids["acme/a"] ?? "")"
            let longest = try await server.send(.GET, "\(Self.path)?\(byMinute)", admin: admins[1].key)
            #expect((longest.object["series"] as? [Object])?.count == 361, "\(longest.text)")
            let minutes = try await server.send(.GET, "\(Self.path)?step=minute", admin: admins[1].key)
            #expect(minutes.status == 400 && minutes.errorText("param") == "step")
        }
    }

    @Test("the usage of a key has its hours, outcomes and percentiles")
    func usage() async throws {
        try await ControlServer.with { server in
            let id = try await server.unkeyKey([:]).id
            let keyID = try #require(KeyID(id))
            let now = Timestamp.now
            for (ago, outcome) in [(0, RequestOutcome.allowed), (0, .limited), (30, .denied), (50, .allowed)] {
                server.store.add(
                    TrafficCounts(
                        requestsOf: [keyID, .generate()], at: now.advanced(by: .seconds(-3_600 * ago)),
                        outcome: outcome))
            }
            let path = "/admin/api/v1/auth-keys/\(id)/usage"
            let usage = try await server.send(.GET, "\(path)?days=10&hours=31").object
            let traffic = try #require(usage["traffic"] as? Object)
            #expect(traffic["requests"] as? Int == 4 && traffic["limited"] as? Int == 1)
            #expect(traffic["p50_ms"] as? Double == 1.75)
            let hours = try #require(usage["hours"] as? [Object])
            #expect(hours.compactMap { $0["requests"] as? Int } == [2, 1])
            #expect(try await (server.send(.GET, path).object["hours"] as? [Object])?.count == 1)
            #expect(try await (server.send(.GET, "\(path)?hours=0").object["hours"] as? [Object])?.isEmpty == true)
            for invalid in ["-1", "745", "x"] {
                let answer = try await server.send(.GET, "\(path)?hours=\(invalid)")
                #expect(answer.status == 400 && answer.errorText("param") == "hours")
            }
        }
    }
}
