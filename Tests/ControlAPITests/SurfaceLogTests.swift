import AuthKeys
import Foundation
import HTTPCredentials
import NIOHTTP1
import RequestLog
import TestSupport
import Testing

@testable import ControlAPI

/// The lines that the entry points of the control listener leave in the request log.
@Suite("Lines of the verification routes")
struct SurfaceLogTests {
    /// A way to ask about a key.
    enum EntryPoint: CaseIterable {
        case forwardAuth, verify, batch, introspection, unkey

        var surface: RequestSurface {
            switch self {
            case .forwardAuth: .forwardAuth
            case .verify, .batch: .verify
            case .introspection: .introspection
            case .unkey: .unkey
            }
        }

        /// True if the caller describes the request of its client.
        var describes: Bool { self != .unkey }

        func ask(_ token: String, _ server: ControlServer) async throws -> ControlServer.Answer {
            let described = #""key":"\#(token)","method":"GET","path":"/v1/x?y=1","ip":"192.0.2.9""#
            switch self {
            case .forwardAuth:
                let headers = [
                    ("Authorization", "Bearer \(token)"), ("X-Forwarded-Method", "GET"),
                    ("X-Forwarded-Uri", "/v1/x?y=1"), ("X-Forwarded-For", "192.0.2.9"), ("User-Agent", "curl/8"),
                ]
                return try await server.send(.GET, "/v1/forward-auth", admin: nil, headers: headers)
            case .verify: return try await server.send(.POST, "/v1/verify", body: "{\(described)}")
            case .batch:
                return try await server.send(.POST, "/v1/verify/batch", body: "{\"requests\":[{\(described)}]}")
            case .introspection:
                return try await server.send(
                    .POST, "/v1/introspect", body: "token=\(token)&method=GET&path=/v1/x%3Fy%3D1&ip=192.0.2.9",
                    headers: [("Content-Type", "application/x-www-form-urlencoded")])
            case .unkey: return try await server.unkey("keys.verifyKey", ["key": token])
            }
        }
    }

    @Test("each decision leaves its key, owner, reason and described request", arguments: EntryPoint.allCases)
    func lines(entry: EntryPoint) async throws {
        try await ControlServer.with { server in
            let valid = try await server.create(#"{"name":"n","owner":"acme/a"}"#)
            let ended = try await server.create(#"{"name":"n","owner":"acme/b"}"#)
            let (validID, endedID) = (valid.object["id"] as? String ?? "", ended.object["id"] as? String ?? "")
            _ = try await server.send(.POST, "/admin/api/v1/auth-keys/\(endedID)/deactivate")
            let began = Timestamp.now
            var ids: [String] = []
            for token in [valid.object["value"] as? String, ended.object["value"] as? String, Token.generate().value] {
                let answer = try await entry.ask(token ?? "", server)
                ids.append(answer.headers.first(name: "X-Request-Id") ?? "")
            }
            server.requestLog.close()
            let lines = try #require(server.requestLog.rows).takeLines()
            #expect(lines.map(\.id.description) == ids)
            #expect(lines.allSatisfy { $0.surface == entry.surface && $0.at >= began && $0.microseconds >= 0 })
            let codes: [String?] = [nil, "key_inactive", "key_unknown"]
            #expect(lines.map(\.code) == codes)
            let keys: [KeyID?] = [KeyID(validID), KeyID(endedID), nil]
            #expect(lines.map(\.keyID) == keys)
            #expect(lines.map { Int($0.status) } == [200, 401, 401])
            #expect(lines.map { $0.outcome } == [.allowed, .denied, .denied])
            #expect(lines.map { $0.owner } == ["acme/a", "acme/b", ""])
            guard entry.describes else { return }
            for line in lines {
                #expect(line.method == "GET" && line.path == "/v1/x" && line.address == IPAddress("192.0.2.9"))
                #expect(line.query == "", "no query is kept by default")
            }
        }
    }

    @Test("a caller limited to an owner learns nothing of other keys, and neither does the line")
    func limited() async throws {
        try await ControlServer.with { server in
            let key = try await server.create(#"{"name":"n","owner":"other"}"#)
            let admin = try await server.send(
                .POST, "/admin/api/v1/admin-keys", body: #"{"name":"n","owner":"acme","permissions":["verify"]}"#)
            _ = try await server.send(
                .POST, "/v1/verify", body: #"{"key":"\#(key.object["value"] as? String ?? "")"}"#,
                admin: admin.object["value"] as? String)
            server.requestLog.close()
            let lines = try #require(server.requestLog.rows).takeLines()
            #expect(lines.map { $0.code ?? "-" } == ["key_unknown"] && lines[0].keyID == nil && lines[0].owner == "")
        }
    }

    @Test("a proxy's request that describes nothing leaves a line with the reason")
    func undescribed() async throws {
        try await ControlServer.with { server in
            _ = try await server.send(.GET, "/v1/forward-auth", admin: nil)
            server.requestLog.close()
            let lines = try #require(server.requestLog.rows).takeLines()
            #expect(lines.map { $0.code ?? "-" } == ["ambiguous_request"] && lines[0].status == 403)
        }
    }

    @Test("a request that is not understood, or whose caller is refused, leaves no line")
    func refusedCallers() async throws {
        try await ControlServer.with { server in
            let refused = try await server.send(.POST, "/v1/verify", body: #"{"key":"k"}"#, admin: "wrong")
            let invalid = try await server.send(.POST, "/v1/verify", body: "{")
            #expect(refused.status == 401 && invalid.status == 400)
            server.requestLog.close()
            #expect(try #require(server.requestLog.rows).takeLines() == [])
        }
    }
}
