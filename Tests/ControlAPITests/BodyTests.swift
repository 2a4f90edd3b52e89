import AuthKeys
import ControlBodies
import Foundation
import HTTPCredentials
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Bodies of the control API")
struct BodyTests {
    private static let path = "/admin/api/v1"

    /// Expects that a body, decoded as the commands do and encoded again, is the same text.
    private func expect<Body: Codable>(
        _ type: Body.Type, _ text: String, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let body = try JSONDecoder().decode(type, from: Data(text.utf8))
        #expect(String(decoding: try JSONBody.bytes(body), as: UTF8.self) == text, sourceLocation: location)
    }

    @Test("a client reads every member of keys, their use and their explanation")
    func keys() async throws {
        try await ControlServer.with { server in
            let created = try await server.create(
                #"""
                {"name":"n","description":"d","owner":"acme","scopes":["a:*"],"labels":{"env":"prod"},
                 "metadata":{"plan":"pro","seats":3,"share":0.5,"tags":[null,true]},"enabled":false,
                 "expires_at":"2999-01-01T00:00:00Z","not_before":"2020-01-01T00:00:00Z","allowed_methods":["GET"],
                 "allowed_paths":["/a/**"],"allowed_cidrs":["10.0.0.0/8"],"report_only":["allowed_paths"]}
                """#)
            try expect(KeyJSON.self, created.text)
            let key = "\(Self.path)/auth-keys/\(try #require(created.object["id"] as? String))"
            try expect(KeyJSON.self, try await server.send(.POST, key + "/rotate", body: "{}").text)
            try expect([KeyJSON].self, try await server.send(.GET, "\(Self.path)/auth-keys").text)
            try expect(UsageJSON.self, try await server.send(.GET, key + "/usage").text)
            let explained = try await server.send(.GET, key + "/explain?method=POST&path=/b&ip=192.0.2.1")
            try expect(ExplanationJSON.self, explained.text)
        }
    }

    @Test("a client reads every member of admin keys and of the audit trail")
    func administration() async throws {
        try await ControlServer.with { server in
            let created = try await server.send(
                .POST, "\(Self.path)/admin-keys",
                body: #"{"name":"n","permissions":["keys:read"],"owner":"acme","expires_at":"2999-01-01T00:00:00Z"}"#)
            try expect(AdminKeyJSON.self, created.text)
            try expect([AdminKeyJSON].self, try await server.send(.GET, "\(Self.path)/admin-keys").text)
            let events = try await server.send(.GET, "\(Self.path)/audit-events")
            #expect(events.objects.count == 1)
            try expect([AuditEventJSON].self, events.text)
            let verified = try await server.send(.GET, "\(Self.path)/audit-events/verify")
            try expect(VerificationJSON.self, verified.text)
        }
    }

    @Test("a client reads every member of import reports, errors and states")
    func others() async throws {
        try await ControlServer.with { server in
            let imported = try await server.send(.POST, "\(Self.path)/auth-keys/import", body: "{\"name\":1}\n")
            #expect(imported.status == 422)
            try expect(ImportReportJSON.self, imported.text)
            let absent = try await server.send(.GET, "\(Self.path)/auth-keys/none")
            #expect(absent.status == 404 && absent.text.contains(#""param":null"#))
            try expect(ErrorJSON.self, absent.text)
            for path in ["/healthz", "/readyz"] {
                try expect(HealthJSON.self, try await server.send(.GET, path, admin: nil).text)
            }
        }
    }

    @Test("the verdict written by hand has the members of the body that clients read")
    func verdict() async throws {
        #expect(Set(VerifyJSON.Member.allCases.map(\.rawValue)) == Set(VerdictJSON.CodingKeys.names))
        try await ControlServer.with { server in
            let created = try await server.create(
                #"""
                {"name":"\"n\" é \\","owner":"acme/1","scopes":["a:read","b"],"expires_at":"2999-01-01T00:00:00Z",
                 "metadata":{"plan":"pro","seats":3,"share":0.5,"tags":[null,true,{}]}}
                """#)
            let key = try #require(created.object["value"] as? String)
            for (scope, code) in [("a:read", "VALID"), ("c", "SCOPE_MISSING")] {
                let answer = try await server.send(
                    .POST, "/v1/verify", body: #"{"key":"\#(key)","scopes":["\#(scope)"]}"#)
                #expect(answer.object["code"] as? String == code)
                try expect(VerdictJSON.self, answer.text)
            }
            try expect(VerdictJSON.self, try await server.send(.POST, "/v1/verify", body: #"{"key":"x"}"#).text)
        }
    }
}
