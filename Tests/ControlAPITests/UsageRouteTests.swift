import AuthKeys
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Usage route")
struct UsageRouteTests {
    private let path = "/admin/api/v1/auth-keys"

    private func used(_ server: ControlServer, _ ago: Duration) async throws -> String {
        let key = StoreConformance.newKey()
        _ = try await server.store.create(key, claim: nil)
        let moment = Timestamp.now.advanced(by: .zero - ago)
        try await server.store.record([
            UsageCount(
                digest: key.digest, keyID: key.id, day: Int32(moment.microseconds / 86_400_000_000), requests: 12,
                lastUsedAt: moment, address: IPAddress("192.0.2.7"), agent: "curl")
        ])
        return key.id.description
    }

    @Test("the usage of a key is reported in total, by day and by secret")
    func report() async throws {
        try await ControlServer.with { server in
            let id = try await used(server, .seconds(60))
            let key = try await server.send(.GET, "\(path)/\(id)").object
            #expect(key["requests"] as? Int == 12 && key["last_address"] as? String == "192.0.2.7")
            #expect(key["last_agent"] as? String == "curl" && key["last_used_at"] != nil)
            #expect(key["secret_last_used_at"] as? String == key["last_used_at"] as? String)
            let report = try await server.send(.GET, "\(path)/\(id)/usage?days=2").object
            let days = try #require(report["days"] as? [[String: Any]])
            #expect(days.count == 1 && days[0]["requests"] as? Int == 12)
            #expect((days[0]["day"] as? String)?.count == 10)
            let secrets = try #require(report["secrets"] as? [[String: Any]])
            #expect(secrets.count == 1 && secrets[0]["requests"] as? Int == 12 && secrets[0]["digest"] == nil)
            for invalid in ["0", "401", "x", "-1"] {
                let answer = try await server.send(.GET, "\(path)/\(id)/usage?days=\(invalid)")
                #expect(answer.status == 400 && answer.errorText("param") == "days")
            }
            #expect(try await server.send(.GET, "\(path)/\(KeyID.generate())/usage").status == 404)
        }
    }

    @Test("the deactivation of a key used within seven days has a warning")
    func warning() async throws {
        try await ControlServer.with { server in
            for (ago, isWarned) in [(Duration.seconds(60), true), (.seconds(8 * 86_400), false)] {
                let id = try await used(server, ago)
                let answer = try await server.send(.POST, "\(path)/\(id)/deactivate")
                #expect(answer.status == 204)
                #expect(answer.headers.contains(name: "X-Keyward-Warning") == isWarned)
            }
        }
    }

    @Test("a use that is not written yet causes the warning")
    func warningOfNewUse() async throws {
        try await ControlServer.with { server in
            let made = try await server.create(#"{"name":"n"}"#).object
            let (id, value) = (try #require(made["id"] as? String), try #require(made["value"] as? String))
            let asked = try await server.send(
                .GET, "/v1/forward-auth", admin: value,
                headers: [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/")])
            #expect(asked.status == 200)
            let answer = try await server.send(.POST, "\(path)/\(id)/deactivate")
            #expect(answer.status == 204 && answer.headers.contains(name: "X-Keyward-Warning"))
        }
    }

    @Test("each verification of an admitted key counts one use, and no other verification counts")
    func countedOnce() async throws {
        try await ControlServer.with { server in
            let made = try await server.create(#"{"name":"n","owner":"acme"}"#).object
            let (id, value) = (try #require(made["id"] as? String), try #require(made["value"] as? String))
            let stranger = try await server.adminKey(#""permissions":["verify"],"owner":"else""#)
            func verify(_ value: String, by admin: String) async throws {
                // Only the first of these bodies is in the plain form.
                for body in [#"{"key":"\#(value)"}"#, #"{"key":"\#(value)","cost":0}"#] {
                    _ = try await server.send(.POST, "/v1/verify", body: body, admin: admin)
                }
                _ = try await server.send(
                    .POST, "/v1/verify/batch", body: #"{"requests":[{"key":"\#(value)"}]}"#, admin: admin)
                _ = try await server.send(
                    .POST, "/v1/introspect", body: "token=\(value)", admin: admin,
                    headers: [("Content-Type", "application/x-www-form-urlencoded")])
                _ = try await server.unkey("keys.verifyKey", ["key": value], admin: admin)
            }
            for _ in 0..<2 {
                try await verify(value, by: ControlServer.adminKey)
                try await verify(value, by: stranger)
                try await verify(Token.generate().value, by: ControlServer.adminKey)
                _ = try await server.send(
                    .GET, "/v1/forward-auth", admin: value,
                    headers: [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/")])
            }
            await server.usage.flush()
            let key = try await server.send(.GET, "\(path)/\(id)").object
            #expect(key["requests"] as? Int == 12)
        }
    }
}
