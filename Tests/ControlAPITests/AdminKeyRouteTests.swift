import AsyncHTTPClient
import AuthKeys
import Foundation
import KeyAdministration
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Admin key routes")
struct AdminKeyRouteTests {
    private let path = "/admin/api/v1/admin-keys"
    private let keys = "/admin/api/v1/auth-keys"
    private let audit = "/admin/api/v1/audit-events"

    /// Returns the id and the secret of a new admin key.
    private func adminKey(
        _ server: ControlServer, _ permissions: String..., owner: String? = nil,
        by admin: String? = ControlServer.adminKey
    ) async throws -> (id: String, value: String) {
        var members: [String: Any] = ["name": "admin", "permissions": permissions]
        members["owner"] = owner
        let body = String(decoding: try JSONSerialization.data(withJSONObject: members), as: UTF8.self)
        let answer = try await server.send(.POST, path, body: body, admin: admin)
        #expect(answer.status == 201, "\(answer.text)")
        return (
            try #require(answer.object["id"] as? String), try #require(answer.object["value"] as? String)
        )
    }

    @Test("an admin key is created, shown, updated and deactivated; only the creation shows the secret")
    func life() async throws {
        try await ControlServer.with { server in
            let created = try await server.send(
                .POST, path,
                body: #"{"name":" ci ","permissions":["keys:write","keys:read"],"expires_at":"2100-01-01T00:00:00Z"}"#)
            #expect(created.status == 201 && created.headers.first(name: "Cache-Control") == "no-store")
            let key = created.object
            let (id, value) = (try #require(key["id"] as? String), try #require(key["value"] as? String))
            #expect(value.wholeMatch(of: /kwa_[0-9A-Za-z]{49}/) != nil)
            #expect(key["name"] as? String == "ci" && key["permissions"] as? [String] == ["keys:read", "keys:write"])
            #expect(key["redacted_value"] as? String == "kwa_...\(value.suffix(4))")
            #expect(created.headers.first(name: "Location") == "\(path)/\(id)")
            #expect(try await server.send(.GET, keys, admin: value).status == 200)
            for target in [path, "\(path)/\(id)"] {
                let shown = try await server.send(.GET, target)
                #expect(shown.status == 200 && shown.text.contains(id) && !shown.text.contains(value))
                #expect(shown.text.contains("last_used_at"))
            }
            let stale = try await server.send(
                .PATCH, "\(path)/\(id)", body: #"{"name":"x"}"#, headers: [("If-Match", "\"9\"")])
            #expect(stale.status == 412)
            let patched = try await server.send(
                .PATCH, "\(path)/\(id)", body: #"{"name":"cd","permissions":["keys:read"],"expires_at":null}"#,
                headers: [("If-Match", "\"1\"")])
            #expect(
                patched.status == 200 && patched.object["expires_at"] == nil && patched.object["version"] as? Int == 2)
            #expect(try await server.create(#"{"name":"n"}"#, admin: value).status == 403)
            for _ in 0..<2 { #expect(try await server.send(.POST, "\(path)/\(id)/deactivate").status == 204) }
            #expect(try await server.send(.GET, keys, admin: value).status == 401)
            #expect(try await server.send(.GET, "\(path)/\(id)").object["active"] as? Bool == false)
            let unknown = try await server.send(.POST, "\(path)/\(KeyID.generate())/deactivate")
            #expect(unknown.status == 404 && unknown.errorText("message")?.hasPrefix("admin key not found") == true)
        }
    }

    @Test(
        "an invalid member is refused by name",
        arguments: [
            (#"{"permissions":["verify"]}"#, "name"), (#"{"name":"n"}"#, "permissions"),
            (#"{"name":"n","permissions":[]}"#, "permissions"),
            (#"{"name":"n","permissions":["root"]}"#, "permissions"),
            (#"{"name":"n","permissions":"verify"}"#, "permissions"),
            (#"{"name":"n","permissions":["verify"],"expires_at":"2001-01-01T00:00:00Z"}"#, "expires_at"),
            (#"{"name":"n","permissions":["verify"],"owner":"\u0000"}"#, "owner"),
        ])
    func refused(_ body: String, _ param: String) async throws {
        try await ControlServer.with { server in
            let answer = try await server.send(.POST, path, body: body)
            #expect(answer.status == 400 && answer.errorText("param") == param, "\(answer.text)")
            let (id, _) = try await adminKey(server, "verify")
            let owner = try await server.send(.PATCH, "\(path)/\(id)", body: #"{"owner":"me"}"#)
            #expect(owner.status == 400 && owner.errorText("param") == "owner")
        }
    }

    @Test(
        "each route refuses a key that lacks only its permissions, and names one", .timeLimit(.minutes(5))
    )
    func leastPrivilege() async throws {
        try await ControlServer.with { server in
            let groups: [(String, [AdminRoute])] = [
                (AuthKeyRoutes.path, AuthKeyRoutes(service: server.service).routes),
                (AdminKeyRoutes.path, AdminKeyRoutes(service: server.administration.keys).routes),
                (AuditRoutes.path, AuditRoutes(trail: server.store).routes),
            ]
            for (group, routes) in groups {
                for route in routes {
                    #expect(!route.permissions.isEmpty)
                    let rest = AdminPermission.allCases.filter { !route.permissions.contains($0) }.map(\.rawValue)
                    let made = try await server.administration.keys.create(
                        AdminKeyAttributes(
                            name: "n", permissions: Set(rest.compactMap(AdminPermission.init(rawValue:)))), by: .test)
                    let target = (group + route.path).replacingOccurrences(
                        of: "{id}", with: KeyID.generate().description)
                    let method = HTTPMethod(rawValue: "\(route.method)")
                    let answer = try await server.send(method, target, admin: made.token.value)
                    #expect(answer.status == 403 && answer.errorText("code") == "permission_missing", "\(target)")
                    #expect(answer.errorText("type") == "permission_error")
                    #expect(answer.errorText("message")?.contains(route.permissions[0].rawValue) == true)
                    for permission in route.permissions {
                        let enough = try await server.administration.keys.create(
                            AdminKeyAttributes(name: "n", permissions: [permission]), by: .test)
                        let status = try await server.send(method, target, admin: enough.token.value).status
                        #expect(status != 403 && status != 401, "\(method) \(target) \(permission)")
                    }
                }
            }
        }
    }

    @Test("an admin key cannot grant a permission or a lifetime that it does not have")
    func granting() async throws {
        try await ControlServer.with { server in
            let (_, limited) = try await adminKey(server, "admin", "keys:read")
            let (strong, _) = try await adminKey(server, "admin", "keys:write")
            let (own, _) = try await adminKey(server, "keys:read", by: limited)
            func patch(_ id: String, _ body: String) async throws -> ControlServer.Answer {
                try await server.send(.PATCH, "\(path)/\(id)", body: body, admin: limited)
            }
            let more = try await server.send(
                .POST, path, body: #"{"name":"n","permissions":["keys:read","audit:read"]}"#, admin: limited)
            #expect(more.status == 403 && more.errorText("code") == "permission_missing")
            #expect(more.errorText("message")?.contains("audit:read") == true)
            #expect(try await patch(own, #"{"permissions":["keys:write"]}"#).status == 403)
            #expect(try await patch(own, #"{"permissions":["admin"]}"#).status == 200)
            #expect(try await patch(strong, #"{"expires_at":"2100-01-01T00:00:00Z"}"#).status == 200)
            #expect(try await patch(strong, #"{"expires_at":null}"#).status == 403)
            #expect(try await patch(strong, #"{"permissions":["admin"]}"#).status == 200)
        }
    }

    @Test("an admin key cannot grant a later expiry than its own, nor change its own")
    func outliving() async throws {
        try await ControlServer.with { server in
            let end = "2100-01-01T00:00:00Z"
            let made = try await server.send(
                .POST, path, body: #"{"name":"n","permissions":["admin","keys:read"],"expires_at":"\#(end)"}"#)
            let brief = try #require(made.object["value"] as? String)
            let own = try #require(made.object["id"] as? String)
            let (lasting, _) = try await adminKey(server, "admin")
            func send(_ method: HTTPMethod, _ target: String, _ body: String) async throws -> ControlServer.Answer {
                try await server.send(method, target, body: body, admin: brief)
            }
            let later = #""expires_at":"2100-01-01T00:00:01Z""#
            for (method, target, body) in [
                (HTTPMethod.PATCH, "\(path)/\(own)", #"{"expires_at":null}"#), (.PATCH, "\(path)/\(own)", "{\(later)}"),
                (.POST, path, #"{"name":"n","permissions":["keys:read"]}"#),
                (.POST, path, #"{"name":"n","permissions":["keys:read"],\#(later)}"#),
                (.PATCH, "\(path)/\(lasting)", #"{"permissions":["admin","keys:read"]}"#),
            ] {
                let answer = try await send(method, target, body)
                #expect(answer.status == 403 && answer.errorText("code") == "expiry_not_allowed", "\(body)")
                #expect(answer.errorText("param") == "expires_at")
            }
            let heir = try await send(
                .POST, path, #"{"name":"n","permissions":["keys:read"],"expires_at":"\#(end)"}"#)
            #expect(heir.status == 201)
            let (shorter, heirPath) = (#"{"expires_at":"2099-01-01T00:00:00Z"}"#, "\(path)/\(heir.object["id"] ?? "")")
            #expect(try await send(.PATCH, heirPath, shorter).status == 200)
            #expect(try await send(.PATCH, heirPath, #"{"expires_at":"\#(end)"}"#).status == 200)
            #expect(try await send(.PATCH, "\(path)/\(lasting)", #"{"name":"m"}"#).status == 200)
            #expect(try await send(.PATCH, "\(path)/\(own)", shorter).status == 200)
            #expect(try await send(.PATCH, "\(path)/\(own)", #"{"expires_at":"\#(end)"}"#).status == 403)
            let prolonged = try await server.send(.PATCH, "\(path)/\(own)", body: #"{"expires_at":null}"#)
            #expect(prolonged.status == 200, "the operator's key may change the expiry")
        }
    }

    @Test("the idempotency keys of different admins are independent")
    func idempotency() async throws {
        try await ControlServer.with { server in
            let (_, one) = try await adminKey(server, "keys:write")
            let (_, two) = try await adminKey(server, "keys:write")
            let header = [("Idempotency-Key", "order-17")]
            var ids: [String] = []
            for admin in [ControlServer.adminKey, one, two] {
                let made = try await server.create(#"{"name":"n"}"#, admin: admin, headers: header)
                #expect(made.status == 201)
                let again = try await server.create(#"{"name":"n"}"#, admin: admin, headers: header)
                ids.append(try #require(made.object["id"] as? String))
                #expect(again.status == 409 && again.headers.first(name: "Location") == "\(keys)/\(ids.last ?? "")")
            }
            for admin in [ControlServer.adminKey, one, two] {
                let rotate = "\(keys)/\(ids[0])/rotate"
                #expect(try await server.send(.POST, rotate, admin: admin, headers: header).status == 409)
                let other = [("Idempotency-Key", "rotation-1")]
                #expect(try await server.send(.POST, rotate, admin: admin, headers: other).status == 201)
                #expect(try await server.send(.POST, rotate, admin: admin, headers: other).status == 409)
            }
        }
    }

    @Test("an admin key for one owner sees, creates and changes only that owner's keys")
    func owner() async throws {
        try await ControlServer.with { server in
            let (_, mine) = try await adminKey(
                server, "keys:read", "keys:write", "audit:read", "admin", owner: "me")
            let theirs = try #require(
                try await server.create(#"{"name":"n","owner":"them"}"#).object["id"] as? String)
            let made = try await server.create(#"{"name":"n"}"#, admin: mine)
            #expect(made.status == 201 && made.object["owner"] as? String == "me")
            let own = try #require(made.object["id"] as? String)
            let other = try await server.create(#"{"name":"n","owner":"them"}"#, admin: mine)
            #expect(other.status == 403 && other.errorText("code") == "owner_not_allowed")
            let listed = try await server.send(.GET, keys, admin: mine)
            #expect(listed.objects.map { $0["id"] as? String } == [own])
            #expect(try await server.send(.GET, "\(keys)?owner=them", admin: mine).objects.isEmpty)
            for (method, suffix, body) in [
                (HTTPMethod.GET, "", nil), (.PATCH, "", "{}"), (.DELETE, "", nil), (.POST, "/rotate", nil),
                (.DELETE, "/previous-secret", nil), (.POST, "/deactivate", nil), (.GET, "/explain", nil),
            ] as [(HTTPMethod, String, String?)] {
                let answer = try await server.send(method, "\(keys)/\(theirs)\(suffix)", body: body, admin: mine)
                #expect(answer.status == 404, "\(method) \(suffix)")
            }
            let moved = try await server.send(.PATCH, "\(keys)/\(own)", body: #"{"owner":"them"}"#, admin: mine)
            #expect(moved.status == 403)
            let freed = try await server.send(.PATCH, "\(keys)/\(own)", body: #"{"owner":null}"#, admin: mine)
            #expect(freed.status == 403)
            #expect(try await server.send(.PATCH, "\(keys)/\(own)", body: #"{"name":"m"}"#, admin: mine).status == 200)

            // Refusals are events of the calling admin's owner, also for keys of other owners.
            let events = try await server.send(.GET, "\(audit)?outcome=done", admin: mine)
            #expect(events.status == 200 && events.objects.allSatisfy { $0["owner"] as? String == "me" })
            #expect(events.objects.contains { $0["key_id"] as? String == own } && !events.text.contains(theirs))
            #expect(try await server.send(.GET, "\(audit)?owner=them", admin: mine).objects.isEmpty)
            #expect(try await server.send(.GET, "\(audit)/export?owner=them", admin: mine).status == 403)
            let exported = try await server.send(.GET, "\(audit)/export?outcome=done", admin: mine)
            #expect(exported.status == 200 && exported.text.contains(own) && !exported.text.contains(theirs))
            #expect(try await server.send(.GET, "\(audit)/verify", admin: mine).status == 403)

            let (all, _) = try await adminKey(server, "verify")
            #expect(try await server.send(.GET, "\(path)/\(all)", admin: mine).status == 404)
            #expect(try await server.send(.POST, "\(path)/\(all)/deactivate", admin: mine).status == 404)
            let wider = try await server.send(
                .POST, path, body: #"{"name":"n","permissions":["keys:read"],"owner":"them"}"#, admin: mine)
            #expect(wider.status == 403)
            let (_, inherited) = try await adminKey(server, "keys:read", by: mine)
            #expect(try await server.send(.GET, keys, admin: inherited).objects.count == 1)
        }
    }

    @Test("a data key is never an admin key, and cannot be created with the prefix of one")
    func dataKey() async throws {
        try await ControlServer.with { server in
            let refused = try await server.create(#"{"name":"n","prefix":"kwa"}"#)
            #expect(refused.status == 400 && refused.errorText("param") == "prefix")
            // Another build may have created such a key.
            let token = Token.generate(prefix: AdminKey.prefix)
            let key = NewKey(id: .generate(), attributes: KeyAttributes(name: "n"), secret: NewSecret(token))
            _ = try await server.store.create(key, claim: nil)
            for target in [keys, path, audit] {
                let answer = try await server.send(.GET, target, admin: token.value)
                #expect(answer.status == 401 && answer.errorText("code") == "key_unknown")
            }
            let (_, value) = try await adminKey(server, "keys:read")
            let digest = Array(value.utf8).withUnsafeBytes { SecretDigest(hashing: $0) }
            #expect(try await server.store.find([digest]).isEmpty)
            #expect(server.index.withKey(for: digest) { _ in true } == nil)
        }
    }

    @Test("without an operator's key, the last admin key with the permission admin cannot be revoked")
    func last() async throws {
        try await ControlServer.with(hasBootstrapKey: false) { server in
            let made = try await AdminKeyService(
                store: server.store, hasBootstrapKey: true, credentials: server.administration.credentials
            ).create(
                AdminKeyAttributes(name: "root", permissions: Set(AdminPermission.allCases)), by: .test)
            let (id, root) = (made.key.id, made.token.value)
            #expect(try await server.send(.GET, keys).status == 401, "there is no operator's key")
            for (method, suffix, body) in [
                (HTTPMethod.POST, "/deactivate", nil), (.PATCH, "", #"{"permissions":["keys:read"]}"#),
                (.PATCH, "", #"{"expires_at":"2100-01-01T00:00:00Z"}"#),
            ] as [(HTTPMethod, String, String?)] {
                let answer = try await server.send(method, "\(path)/\(id)\(suffix)", body: body, admin: root)
                #expect(answer.status == 409 && answer.errorText("code") == "last_admin_credential", "\(answer.text)")
            }
            _ = try await adminKey(server, "admin", by: root)
            #expect(try await server.send(.POST, "\(path)/\(id)/deactivate", admin: root).status == 204)
            #expect(try await server.send(.GET, keys, admin: root).status == 401)
        }
    }

    @Test("an admin key needs the database, the operator's key does not; an expired one is refused")
    func database() async throws {
        try await ControlServer.with { server in
            let (_, value) = try await adminKey(server, "keys:read")
            server.store.isDown = true
            let away = try await server.send(.GET, keys, admin: value)
            #expect(away.status == 503 && away.errorText("code") == "feature_unavailable")
            #expect(try await server.send(.GET, keys, admin: "wrong").status == 401)
            server.store.isDown = false
            let soon = Timestamp.now.advanced(by: .milliseconds(200))
            let brief = try await server.administration.keys.create(
                AdminKeyAttributes(name: "n", permissions: [.keysRead], expiresAt: soon), by: .test)
            #expect(try await server.send(.GET, keys, admin: brief.token.value).status == 200)
            try await Task.sleep(for: .milliseconds(250))
            #expect(try await server.send(.GET, keys, admin: brief.token.value).status == 401)
        }
    }

    @Test("owners that look alike are distinct", arguments: [("Kappa", "\u{212A}appa"), ("caf\u{e9}", "cafe\u{301}")])
    func lookalikes(_ owner: String, _ other: String) async throws {
        #expect(owner == other, "to Swift")
        try await ControlServer.with { server in
            let created = try await server.create("{\"name\":\"n\",\"owner\":\"\(owner)\"}")
            let (id, token) = (created.object["id"] as? String ?? "", created.object["value"] as? String ?? "")
            let made = try await server.send(
                .POST, path,
                body:
                    "{\"name\":\"n\",\"owner\":\"\(other)\",\"permissions\":[\"keys:write\",\"keys:read\",\"verify\",\"admin\"]}"
            )
            let admin = try #require(made.object["value"] as? String, "\(made.text)")
            for (method, suffix, body) in [
                (HTTPMethod.GET, "", nil), (.PATCH, "", #"{"enabled":false}"#),
                (.POST, "/rotate", #"{"grace_seconds":0}"#),
                (.POST, "/deactivate", nil), (.GET, "/explain", nil), (.GET, "/usage", nil),
            ] as [(HTTPMethod, String, String?)] {
                let answer = try await server.send(method, "\(keys)/\(id)\(suffix)", body: body, admin: admin)
                #expect(answer.status == 404, "\(method) \(suffix): \(answer.text)")
            }
            for (target, permissions) in [(keys, ""), (path, #","permissions":["verify"]"#)] {
                let answer = try await server.send(
                    .POST, target, body: "{\"name\":\"n\",\"owner\":\"\(owner)\"\(permissions)}", admin: admin)
                #expect(answer.status == 403 && answer.errorText("code") == "owner_not_allowed", "\(answer.text)")
            }
            let asked = try await server.send(.POST, "/v1/verify", body: "{\"key\":\"\(token)\"}", admin: admin)
            #expect(asked.object["code"] as? String == "NOT_FOUND", "\(asked.text)")
            #expect(try await server.send(.GET, keys, admin: admin).text == "[]")
        }
    }

    @Test("an admin key is refused as soon as its deactivation has returned")
    func copies() async throws {
        try await ControlServer.with { server in
            let (id, value) = try await adminKey(server, "verify")
            try await server.administration.credentials.refresh()
            let question = #"{"key":"k"}"#
            #expect(try await server.send(.POST, "/v1/verify", body: question, admin: value).status == 200)
            #expect(try await server.send(.POST, "\(path)/\(id)/deactivate").status == 204)
            #expect(try await server.send(.POST, "/v1/verify", body: question, admin: value).status == 401)
        }
    }

    @Test("an import is rolled back if its admin key is deactivated meanwhile")
    func revokedDuringImport() async throws {
        try await ControlServer.with { server in
            let (id, value) = try await adminKey(server, "keys:write")
            let (lines, writer) = AsyncStream.makeStream(of: ByteBuffer.self)
            var request = HTTPClientRequest(url: server.url + keys + "/import")
            request.method = .POST
            request.headers.add(name: "Authorization", value: "Bearer \(value)")
            request.body = .stream(lines, length: .unknown)
            let importing = Task { [request] in
                let response = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
                return (response.status.code, try await response.body.collect(upTo: 65_536))
            }
            let token = Token.generate().value
            writer.yield(ByteBuffer(string: #"{"name":"mine","key":"\#(token)"}"# + "\n"))
            #expect(await eventually { server.store.isImporting })
            #expect(try await server.send(.POST, "\(path)/\(id)/deactivate").status == 204)
            writer.finish()
            let (status, body) = try await importing.value
            #expect(status == 401, "\(String(buffer: body))")
            #expect(try await server.store.list(KeyQuery()).isEmpty)
            await server.administration.refusals.close()
            let events = try await server.store.events(AuditQuery(limit: 10))
            #expect(events.contains { $0.action == "key.import" && $0.outcome == AuditEvent.refused })
        }
    }

    @Test("an export is cut off if its admin key is deactivated meanwhile")
    func revokedDuringExport() async throws {
        try await ControlServer.with { server in
            let (id, value) = try await adminKey(server, "keys:read")
            let text = String(repeating: "x", count: 4_000)
            for _ in 0..<4_000 {
                _ = try await server.store.create(StoreConformance.newKey(description: text), claim: nil)
            }
            var request = HTTPClientRequest(url: server.url + keys + "/export")
            request.headers.add(name: "Authorization", value: "Bearer \(value)")
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            #expect(response.status == .ok)
            var count = 0
            var isCut = false
            do {
                for try await part in response.body {
                    if count == 0 {
                        #expect(try await server.send(.POST, "\(path)/\(id)/deactivate").status == 204)
                    }
                    count += part.readableBytesView.count { $0 == 0x0A }
                }
            } catch {
                isCut = true
            }
            #expect(isCut && count < 4_000, "\(count)")
        }
    }
}
