import AuthKeys
import Gateway
import NIOHTTP1
import TestSupport
import Testing

@testable import KeywardServer

/// The settings of costs, and their effect on credits in the database.
@Suite("Costs of requests in the server", .timeLimit(.minutes(5)))
struct RequestCostServerTests {
    private func gateway(_ environment: [String: String]) throws -> GatewayConfiguration {
        try Settings(SettingsSource(flags: [:], environment: environment, file: nil)).gateway
    }

    @Test("rules, the field and the member of usage are settings")
    func settings() throws {
        let none = try gateway([:])
        #expect(none.costs.isEmpty && none.costField == nil && none.costUsage == nil)
        let some = try gateway([
            "KEYWARD_COST": "POST /v1/images/**=10, * /**=0", "KEYWARD_COST_HEADER": "X-Cost",
            "KEYWARD_COST_USAGE": "total_tokens",
        ])
        #expect(!some.costs.isEmpty && some.costField == CostField("x-cost"))
        #expect(some.costUsage == UsageMember("total_tokens"))
    }

    @Test(
        "an error names the setting and the value",
        arguments: [
            ("KEYWARD_COST", "--cost", "GET /a=1,POST /b=1000001", "'POST /b=1000001' is invalid"),
            ("KEYWARD_COST", "--cost", "GET /a=-1", "'GET /a=-1' is invalid"),
            ("KEYWARD_COST", "--cost", "/a=1", "'/a=1' is invalid"), ("KEYWARD_COST", "--cost", "GET /a=1,", "'' is"),
            ("KEYWARD_COST_HEADER", "--cost-header", "Content-Length", "'Content-Length' is invalid"),
            ("KEYWARD_COST_HEADER", "--cost-header", "X Cost", "'X Cost' is invalid"),
            ("KEYWARD_COST_USAGE", "--cost-usage", "usage.total_tokens", "'usage.total_tokens' is invalid"),
        ])
    func refused(name: String, flag: String, value: String, says: String) throws {
        let error = #expect(throws: SettingsError.self) { try gateway([name: value]) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(name) && text.contains(flag) && text.contains(says), "\(text)")
    }

    /// The first row of a query, with its columns separated by `|`.
    private func balance(_ database: TestDatabase) async throws -> String {
        try await Psql.run("SELECT remaining, spent FROM auth_key_credits", on: database.connectionString)
    }

    @Test("credits end at the sum of the actual costs of two instances, and a debt refuses until credits are added")
    func credits() async throws {
        // The path states the cost: `/header/30`, `/usage/30`, or none.
        let upstream = try ScriptedServer { head in
            let parts = head.split(separator: " ").dropFirst().first?.split(separator: "/") ?? []
            let cost = parts.count > 1 ? String(parts[1]) : ""
            return switch parts.first {
            case "header": ScriptedServer.response("200 OK", "ok", fields: "X-Cost: \(cost)\r\n")
            case "usage":
                ScriptedServer.response(
                    "200 OK", #"{"usage":{"total_tokens":\#(cost)}}"#, fields: "Content-Type: application/json\r\n")
            default: ScriptedServer.response("200 OK", "ok")
            }
        }
        defer { upstream.close() }
        let database = try await TestDatabase.create()
        let arguments = ["--cost", "* /**=20", "--cost-header", "X-Cost", "--cost-usage", "total_tokens"]
        var instances: [KeywardProcess] = []
        for _ in 0..<2 {
            instances.append(
                try await .start(
                    database: database.connectionString, upstream: "http://127.0.0.1:\(upstream.port)",
                    arguments: arguments))
        }
        let key = try await instances[0].create("costly", #","credits":{"remaining":10000}"#)
        var spent = 0
        for (path, cost) in [
            ("/plain", 20), ("/header/300", 300), ("/usage/7", 7), ("/header/0", 0), ("/usage/1500", 1_500),
            ("/header/bad", 20), ("/plain", 20), ("/header/1", 1),
        ] {
            for instance in instances {
                let admitted = await eventually(within: .seconds(10)) {
                    (try? await instance.call(key.value, path: path).status) == 200
                }
                #expect(admitted, "\(path)")
                spent += cost
            }
        }
        for instance in instances { #expect(try await instance.stop() == 0) }
        #expect(try await balance(database) == "\(10_000 - spent)|\(spent)")

        let next = try await KeywardProcess.start(
            database: database.connectionString, upstream: "http://127.0.0.1:\(upstream.port)", arguments: arguments)
        let last = try await next.call(key.value, path: "/header/90000")
        #expect(last.status == 200)
        spent += 90_000
        let indebted = await eventually(within: .seconds(10)) {
            (try? await balance(database)) == "\(10_000 - spent)|\(spent)"
        }
        #expect(indebted)
        let refused = try await next.call(key.value, path: "/plain")
        #expect(refused.status == 429 && refused.code == "credits_exhausted")
        let added = try await next.admin(.POST, "/\(key.id)/credits", body: #"{"add":100000}"#)
        #expect(added.status == 200, "\(added.text)")
        let admitted = await eventually(within: .seconds(10)) {
            (try? await next.call(key.value, path: "/header/5").status) == 200
        }
        #expect(admitted)
        #expect(try await next.stop() == 0)
        #expect(try await balance(database) == "\(110_000 - spent - 5)|\(spent + 5)")
        try await database.drop()
    }
}
