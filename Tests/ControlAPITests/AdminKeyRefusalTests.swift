import AuthKeys
import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Refused admin keys")
struct AdminKeyRefusalTests {
    private struct Attempt: Sendable, CustomStringConvertible {
        let method: HTTPMethod
        let path: String
        let action: String
        var body: String?
        var isBasic = false
        /// A permission that is not sufficient.
        let poor: AdminPermission

        var description: String { "\(method) \(path)\(isBasic ? " with Basic" : "")" }
    }

    private static let attempts = [
        Attempt(method: .GET, path: "/admin/api/v1/auth-keys", action: "key.read", poor: .verify),
        Attempt(
            method: .POST, path: "/admin/api/v1/auth-keys", action: "key.create", body: #"{"name":"n"}"#, poor: .verify),
        Attempt(method: .GET, path: "/admin/api/v1/audit-events", action: "audit.read", poor: .verify),
        Attempt(method: .GET, path: "/admin/api/v1/instances", action: "instances.read", poor: .verify),
        Attempt(method: .GET, path: "/admin/api/v1/plans", action: "limits.read", poor: .verify),
        Attempt(
            method: .PUT, path: "/admin/api/v1/plans/gold", action: "plan.set", body: #"{"limits":[]}"#,
            poor: .keysWrite),
        Attempt(
            method: .PUT, path: "/admin/api/v1/owners/acme/limits", action: "owner_limits.set",
            body: #"{"limits":[]}"#, poor: .keysWrite),
        Attempt(method: .GET, path: "/admin/api/v1/requests/stats", action: "request.read", poor: .auditRead),
        Attempt(
            method: .POST, path: "/v2/keys.createKey", action: "key.create", body: #"{"apiId":"a"}"#, poor: .verify),
        Attempt(
            method: .POST, path: "/v2/keys.verifyKey", action: "key.verify", body: #"{"key":"k"}"#, poor: .keysRead),
        Attempt(method: .POST, path: "/v1/verify", action: "key.verify", body: #"{"key":"k"}"#, poor: .keysRead),
        Attempt(
            method: .POST, path: "/v1/verify/batch", action: "key.verify", body: #"{"requests":[]}"#, poor: .keysRead),
        Attempt(method: .POST, path: "/v1/introspect", action: "key.verify", body: "token=k", poor: .keysRead),
        Attempt(
            method: .POST, path: "/v1/introspect", action: "key.verify", body: "token=k", isBasic: true, poor: .keysRead
        ),
    ]

    private func send(_ attempt: Attempt, with key: String, to server: ControlServer) async throws
        -> ControlServer.Answer
    {
        let basic = "Basic " + Data("client:\(key)".utf8).base64EncodedString()
        return try await server.send(
            attempt.method, attempt.path, body: attempt.body, admin: attempt.isBasic ? nil : key,
            headers: (attempt.isBasic ? [("Authorization", basic)] : [])
                + (attempt.path == "/v1/introspect" ? [("Content-Type", "application/x-www-form-urlencoded")] : []))
    }

    /// Stores an admin key directly, with an expiry that may be in the past.
    private func adminKey(
        _ server: ControlServer, _ permissions: Set<AdminPermission> = Set(AdminPermission.allCases),
        expiresAt: Timestamp? = nil
    ) async throws -> (id: KeyID, value: String) {
        let token = Token.generate(prefix: AdminKey.prefix)
        let key = NewAdminKey(
            id: .generate(),
            attributes: AdminKeyAttributes(
                name: "ci", permissions: permissions, owner: "acme", expiresAt: expiresAt),
            secret: NewSecret(token))
        _ = try await server.store.createAdminKey(key, by: .test)
        return (key.id, token.value)
    }

    /// Returns the last refusal in the audit trail, after it is written.
    private func refusal(_ server: ControlServer) async throws -> AuditEvent {
        let query = AuditQuery(refused: true)
        let isWritten = try await eventually { try await !server.store.events(query).isEmpty }
        #expect(isWritten)
        return try #require(try await server.store.events(query).first)
    }

    @Test("a revoked admin key is recorded as the actor, and its attempt does not count as a use", arguments: attempts)
    private func revoked(_ attempt: Attempt) async throws {
        try await ControlServer.with { server in
            let (id, value) = try await adminKey(server)
            _ = try await server.store.deactivateAdminKey(id, keepsLast: false, by: .test)
            let answer = try await send(attempt, with: value, to: server)
            #expect(answer.status == 401, "\(answer.text)")
            if attempt.path.hasPrefix("/admin") { #expect(answer.errorText("code") == "key_inactive") }
            let event = try await refusal(server)
            #expect(event.code == "key_inactive" && event.action == attempt.action)
            #expect(event.actor == id.description && event.actorName == "ci" && event.owner == "acme")
            #expect(try await server.store.adminKey(id)?.lastUsedAt == nil)
        }
    }

    @Test("an expired admin key is recorded as the actor, and its attempt does not count as a use", arguments: attempts)
    private func expired(_ attempt: Attempt) async throws {
        try await ControlServer.with { server in
            let (id, value) = try await adminKey(server, expiresAt: Timestamp.now.advanced(by: .seconds(-1)))
            try await server.administration.credentials.refresh()
            let answer = try await send(attempt, with: value, to: server)
            #expect(answer.status == 401, "\(answer.text)")
            if attempt.path.hasPrefix("/admin") { #expect(answer.errorText("code") == "key_expired") }
            let event = try await refusal(server)
            #expect(event.code == "key_expired" && event.actor == id.description && event.owner == "acme")
            #expect(try await server.store.adminKey(id)?.lastUsedAt == nil)
        }
    }

    @Test("an admin key without the permission is recorded as the actor, without a use", arguments: attempts)
    private func poor(_ attempt: Attempt) async throws {
        try await ControlServer.with { server in
            let (id, value) = try await adminKey(server, [attempt.poor])
            let answer = try await send(attempt, with: value, to: server)
            #expect(answer.status == 403, "\(answer.text)")
            let event = try await refusal(server)
            #expect(event.code == "permission_missing" && event.actor == id.description && event.owner == "acme")
            #expect(try await server.store.adminKey(id)?.lastUsedAt == nil)
        }
    }

    @Test("a data key and an unknown admin key are recorded as anonymous, without a use", arguments: attempts)
    private func unknown(_ attempt: Attempt) async throws {
        try await ControlServer.with { server in
            let dataKey = try await server.service.create(KeyRequest(name: "n"))
            for value in [dataKey.token.value, Token.generate(prefix: AdminKey.prefix).value] {
                #expect(try await send(attempt, with: value, to: server).status == 401)
            }
            let query = AuditQuery(refused: true)
            let areWritten = try await eventually { try await server.store.events(query).count == 2 }
            #expect(areWritten)
            for event in try await server.store.events(query) {
                #expect(event.code == "key_unknown" && event.actor == "anonymous" && event.owner == nil)
            }
            await server.usage.flush()
            #expect(try await server.service.key(dataKey.key.id.description).usage.lastUsedAt == nil)
        }
    }

    @Test("an allowed request counts as a use of the admin key")
    func allowed() async throws {
        try await ControlServer.with { server in
            let (id, value) = try await adminKey(server, [.keysRead])
            #expect(try await server.send(.GET, "/admin/api/v1/auth-keys", admin: value).status == 200)
            #expect(try await server.store.adminKey(id)?.lastUsedAt != nil)
        }
    }
}
