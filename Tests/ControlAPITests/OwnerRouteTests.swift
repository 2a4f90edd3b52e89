import AuthKeys
import Foundation
import HTTPCredentials
import KeyAdministration
import NIOHTTP1
import RequestLog
import TestSupport
import Testing

@testable import ControlAPI

/// An admin key for one owner, at each route of the API, with keys of that owner and of others.
@Suite("Owners at all routes") struct OwnerRouteTests {
    private static let admin = "acme/café"

    /// An owner, and true if an admin key for `admin` reaches it.
    private static let reach: [(owner: String, isReached: Bool)] = [
        ("acme", false), (admin, true), ("\(admin)/alice", true), ("\(admin)/alice/ci", true), ("acme/billing", false),
        ("\(admin)2", false), ("\(admin)-x", false), ("\(admin)0", false), ("ACME/café", false),
        ("acme/cafe\u{301}", false), ("acme/cafe", false), ("other", false), ("other/\(admin)", false),
    ]

    /// A key of an owner, and an admin key for that owner, which an admin key for `admin` asks about.
    private struct Target {
        let server: ControlServer
        let admin: String
        let owner: String
        let id: String
        let token: String
        let adminKeyID: String
        let requestID: String

        var ownerLimits: String { "/admin/api/v1/owners/\(PercentEncoding.encode(owner))/limits" }

        func send(_ method: HTTPMethod, _ path: String, _ body: [String: Any]? = nil) async throws
            -> ControlServer.Answer
        {
            let text = try body.map {
                String(decoding: try JSONSerialization.data(withJSONObject: $0), as: UTF8.self)
            }
            return try await server.send(method, path, body: text, admin: admin)
        }

        /// Returns true if the object of the request exists for the admin.
        func finds(_ method: HTTPMethod, _ path: String, _ body: [String: Any]? = nil) async throws -> Bool {
            let answer = try await send(method, path, body)
            #expect([200, 201, 204, 400, 404, 409].contains(answer.status), "\(method) \(path): \(answer.text)")
            return answer.status != 404
        }

        /// Returns true if the request is permitted.
        func may(_ method: HTTPMethod, _ path: String, _ body: [String: Any]? = nil) async throws -> Bool {
            let answer = try await send(method, path, body)
            #expect([200, 201, 204, 403].contains(answer.status), "\(method) \(path): \(answer.text)")
            return answer.status != 403
        }

        /// Returns true if the response lists an id.
        func lists(_ id: String, _ path: String) async throws -> Bool {
            let answer = try await send(.GET, path)
            #expect(answer.status == 200, "\(path): \(answer.text)")
            return answer.text.contains(id)
        }
    }

    private static let keys = "/admin/api/v1/auth-keys"
    private static let adminKeys = "/admin/api/v1/admin-keys"
    private static let audit = "/admin/api/v1/audit-events"
    private static let requests = ControlServer.requests
    private static let plans = "/admin/api/v1/plans"
    private static let owners = "/admin/api/v1/owners"
    private static let limits: [String: [[String: any Sendable]]] = ["limits": [["name": "a", "concurrent": 1]]]

    /// Each request about a key or an admin key, with its result: true if the admin reaches it.
    private static let routes: [String: @Sendable (Target) async throws -> Bool] = [
        "GET \(keys)": { try await $0.lists($0.id, "\(keys)?limit=1000") },
        "POST \(keys)": { try await $0.may(.POST, keys, ["name": "n", "owner": $0.owner]) },
        "GET \(keys)/export": { try await $0.lists($0.id, "\(keys)/export") },
        "GET \(keys)/{id}": { try await $0.finds(.GET, "\(keys)/\($0.id)") },
        "PATCH \(keys)/{id}": { try await $0.finds(.PATCH, "\(keys)/\($0.id)", ["name": "m"]) },
        "DELETE \(keys)/{id}": { try await $0.finds(.DELETE, "\(keys)/\($0.id)") },
        "GET \(keys)/{id}/explain": { try await $0.finds(.GET, "\(keys)/\($0.id)/explain") },
        "GET \(keys)/{id}/usage": { try await $0.finds(.GET, "\(keys)/\($0.id)/usage") },
        "POST \(keys)/{id}/rotate": { try await $0.finds(.POST, "\(keys)/\($0.id)/rotate", [:]) },
        "DELETE \(keys)/{id}/previous-secret": { try await $0.finds(.DELETE, "\(keys)/\($0.id)/previous-secret") },
        "POST \(keys)/{id}/deactivate": { try await $0.finds(.POST, "\(keys)/\($0.id)/deactivate") },
        "GET \(keys)/{id}/limits": { try await $0.finds(.GET, "\(keys)/\($0.id)/limits") },
        "POST \(keys)/{id}/limits/{name}/reset": { target in
            let answer = try await target.send(.POST, "\(keys)/\(target.id)/limits/minute/reset")
            #expect(answer.status == 404, "\(answer.text)")
            return answer.errorText("code") == "limit_not_found"
        },
        "POST \(keys)/{id}/credits": { try await $0.finds(.POST, "\(keys)/\($0.id)/credits", ["add": 1]) },
        "GET \(owners)/{owner}/limits": { try await $0.may(.GET, $0.ownerLimits) },
        "PUT \(owners)/{owner}/limits": { try await $0.may(.PUT, $0.ownerLimits, limits) },
        "DELETE \(owners)/{owner}/limits": { target in
            _ = try await target.server.send(
                .PUT, target.ownerLimits, body: #"{"limits":[{"name":"a","concurrent":1}]}"#)
            return try await target.may(.DELETE, target.ownerLimits)
        },
        "GET \(adminKeys)": { try await $0.lists($0.adminKeyID, "\(adminKeys)?limit=1000") },
        "POST \(adminKeys)": {
            try await $0.may(.POST, adminKeys, ["name": "n", "permissions": ["verify"], "owner": $0.owner])
        },
        "GET \(adminKeys)/{id}": { try await $0.finds(.GET, "\(adminKeys)/\($0.adminKeyID)") },
        "PATCH \(adminKeys)/{id}": { try await $0.finds(.PATCH, "\(adminKeys)/\($0.adminKeyID)", ["name": "m"]) },
        "POST \(adminKeys)/{id}/deactivate": {
            try await $0.finds(.POST, "\(adminKeys)/\($0.adminKeyID)/deactivate")
        },
        "GET \(audit)": { try await $0.lists($0.id, "\(audit)?limit=1000") },
        "GET \(audit)/export": { try await $0.lists($0.id, "\(audit)/export") },
        "GET \(requests)": { try await $0.lists($0.requestID, "\(requests)?limit=1000") },
        "GET \(requests)/export": { try await $0.lists($0.requestID, "\(requests)/export") },
        "GET \(requests)/{id}": { try await $0.finds(.GET, "\(requests)/\($0.requestID)") },
        "GET \(requests)/tail": { target in
            let start = RequestCursor(before: .now.advanced(by: .seconds(-60))).encoded
            var tail = (status: 0, text: "", isComplete: false)
            // The server detects within a second that the client has left an earlier tail, and frees its place.
            _ = try await eventually {
                tail = try await target.server.tail("?key_id=\(target.id)", after: start, admin: target.admin)
                return tail.status != 429
            }
            #expect(tail.status == 200, "\(tail.text)")
            return tail.text.contains(target.requestID)
        },
        "GET \(requests)/stats": { target in
            let answer = try await target.send(.GET, "\(requests)/stats?key_id=\(target.id)")
            #expect(answer.status == 200, "\(answer.text)")
            return (answer.object["total"] as? [String: Any])?["requests"] as? Int == 1
        },
        "POST /v1/verify": {
            try await $0.send(.POST, "/v1/verify", ["key": $0.token]).object["valid"] as? Bool ?? false
        },
        "POST /v1/verify/batch": {
            let answer = try await $0.send(.POST, "/v1/verify/batch", ["requests": [["key": $0.token]]])
            return (answer.object["results"] as? [[String: Any]])?.first?["valid"] as? Bool ?? false
        },
        "POST /v1/introspect": { target in
            let answer = try await target.server.send(
                .POST, "/v1/introspect", body: "token=\(target.token)", admin: target.admin,
                headers: [("Content-Type", "application/x-www-form-urlencoded")])
            #expect(answer.status == 200, "\(answer.text)")
            return answer.object["active"] as? Bool ?? false
        },
        "POST /v2/keys.verifyKey": {
            let answer = try await $0.send(.POST, "/v2/keys.verifyKey", ["key": $0.token])
            return answer.data["valid"] as? Bool ?? false
        },
        "POST /v2/keys.whoami": { try await $0.finds(.POST, "/v2/keys.whoami", ["key": $0.token]) },
        "POST /v2/keys.createKey": {
            try await $0.may(.POST, "/v2/keys.createKey", ["apiId": "api_1", "externalId": $0.owner])
        },
        "POST /v2/keys.getKey": { try await $0.finds(.POST, "/v2/keys.getKey", ["keyId": $0.id]) },
        "POST /v2/keys.updateKey": { try await $0.finds(.POST, "/v2/keys.updateKey", ["keyId": $0.id, "name": "m"]) },
        "POST /v2/keys.deleteKey": { try await $0.finds(.POST, "/v2/keys.deleteKey", ["keyId": $0.id]) },
        "POST /v2/keys.rerollKey": {
            try await $0.finds(.POST, "/v2/keys.rerollKey", ["keyId": $0.id, "expiration": 0])
        },
        "POST /v2/keys.updateCredits": {
            try await $0.finds(
                .POST, "/v2/keys.updateCredits", ["keyId": $0.id, "operation": "set", "value": 5])
        },
        "POST /v2/keys.addPermissions": {
            try await $0.finds(.POST, "/v2/keys.addPermissions", ["keyId": $0.id, "permissions": ["a"]])
        },
        "POST /v2/keys.removePermissions": {
            try await $0.finds(.POST, "/v2/keys.removePermissions", ["keyId": $0.id, "permissions": ["a"]])
        },
        "POST /v2/keys.setPermissions": {
            try await $0.finds(.POST, "/v2/keys.setPermissions", ["keyId": $0.id, "permissions": ["a"]])
        },
        "POST /v2/apis.listKeys": {
            let answer = try await $0.send(.POST, "/v2/apis.listKeys", ["apiId": "api_1", "limit": 100])
            #expect(answer.status == 200, "\(answer.text)")
            return answer.text.contains($0.id)
        },
    ]

    /// Requests that concern the keys of all owners, and that an admin key for one owner may not make.
    private static let ofAllOwners: [String: (HTTPMethod, String, String)] = [
        "POST \(keys)/import": (.POST, "\(keys)/import", ""),
        "GET \(audit)/verify": (.GET, "\(audit)/verify", ""),
        "GET /admin/api/v1/instances": (.GET, "/admin/api/v1/instances", ""),
        "PUT \(plans)/{name}": (.PUT, "\(plans)/gold", #"{"limits":[{"name":"a","concurrent":1}]}"#),
        "DELETE \(plans)/{name}": (.DELETE, "\(plans)/gold", ""),
        "POST /admin/api/v1/instances/resync": (.POST, "/admin/api/v1/instances/resync", "{}"),
    ]

    /// Requests without an admin key, or about no key.
    private static let withoutOwner = [
        "GET /v1/forward-auth", "GET /.well-known/oauth-authorization-server", "GET /healthz", "GET /readyz",
        "GET /metrics", "GET /openapi.json", "GET /docs", "GET \(plans)", "GET \(plans)/{name}",
    ]

    private static let permissions =
        "\"permissions\":[\"keys:read\",\"keys:write\",\"limits:write\",\"audit:read\",\"requests:read\",\"admin\",\"verify\"]"

    private func target(_ owner: String, asking admin: String, on server: ControlServer) async throws -> Target {
        let key = try await server.unkeyKey(["externalId": owner])
        if let id = KeyID(key.id) { server.store.add(TrafficCounts(requestsOf: [id])) }
        let made = try await server.send(
            .POST, Self.adminKeys, body: "{\"name\":\"n\",\"owner\":\"\(owner)\",\"permissions\":[\"verify\"]}")
        return Target(
            server: server, admin: admin, owner: owner, id: key.id, token: key.token,
            adminKeyID: try #require(made.object["id"] as? String, "\(made.text)"),
            requestID: server.addLine(owner: owner, key: KeyID(key.id)).id.description)
    }

    @Test("an admin key for an owner reaches that owner and all below it, and no other") func reach() async throws {
        try await ControlServer.with { server in
            let admin = try await server.adminKey("\"owner\":\"\(Self.admin)\",\(Self.permissions)")
            for (owner, isReached) in Self.reach {
                for (route, reaches) in Self.routes {
                    let target = try await target(owner, asking: admin, on: server)
                    #expect(try await reaches(target) == isReached, "\(route) for \(owner)")
                }
            }
            for (route, (method, path, body)) in Self.ofAllOwners {
                let answer = try await server.send(method, path, body: body, admin: admin)
                #expect(answer.status == 403, "\(route): \(answer.text)")
            }
        }
    }

    @Test("the table has each route of the OpenAPI document") func allRoutes() throws {
        let document = try JSONSerialization.jsonObject(with: Data(OpenAPIDocument.bytes)) as? [String: Any]
        let paths = try #require(document?["paths"] as? [String: [String: Any]])
        let documented = paths.flatMap { path, item in
            item.keys.filter { $0 != "parameters" }.map { "\($0.uppercased()) \(path)" }
        }
        let tested = Array(Self.routes.keys) + Self.ofAllOwners.keys + Self.withoutOwner
        #expect(documented.sorted() == tested.sorted())
    }

    @Test("a filter selects one owner, or one and all below it, within the reach of the admin key")
    func filters() async throws {
        try await ControlServer.with { server in
            for owner in ["acme", "acme/a", "acme/a/b", "acme/ab", "acme2"] {
                _ = try await server.unkeyKey(["externalId": owner, "name": owner])
            }
            let limited = try await server.adminKey("\"owner\":\"acme/a\",\(Self.permissions)")
            for (filter, all, seen) in [
                ("acme", ["acme"], []), ("acme/a", ["acme/a"], ["acme/a"]),
                ("acme/**", ["acme", "acme/a", "acme/a/b", "acme/ab"], ["acme/a", "acme/a/b"]),
                ("acme/a/**", ["acme/a", "acme/a/b"], ["acme/a", "acme/a/b"]),
                ("acme/a/b/**", ["acme/a/b"], ["acme/a/b"]), ("acme2/**", ["acme2"], []), ("acm/**", [], []),
            ] {
                for (admin, wanted) in [(ControlServer.adminKey, all), (limited, seen)] {
                    let query = "owner=\(filter)"
                    let list = try await server.send(.GET, "\(Self.keys)?\(query)", admin: admin).objects
                    #expect(list.compactMap { $0["owner"] as? String }.sorted() == wanted, "\(filter)")
                    let export = try await server.send(.GET, "\(Self.keys)/export?\(query)", admin: admin)
                    let lines = export.text.split(separator: "\n").map { Data($0.utf8) }
                    let exported = lines.compactMap {
                        (try? JSONSerialization.jsonObject(with: $0) as? [String: Any])?["owner"] as? String
                    }
                    #expect(exported.sorted() == wanted, "\(filter): \(export.text)")
                    let trail = try await server.send(.GET, "\(Self.audit)?action=key.create&\(query)", admin: admin)
                    #expect(trail.objects.compactMap { $0["owner"] as? String }.sorted() == wanted, "\(filter)")
                    let unkey = try await server.unkey(
                        "apis.listKeys", ["apiId": "api_1", "externalId": filter], admin: admin)
                    #expect(unkey.list.compactMap { $0["name"] as? String }.sorted() == wanted, "\(filter)")
                }
            }
            for path in [Self.keys, Self.audit] {
                for filter in ["/**", "acme/*", "**", "acme/", "acme**", "a*/**", "/acme/**"] {
                    let answer = try await server.send(.GET, "\(path)?owner=\(filter)")
                    #expect(answer.status == 400 && answer.errorText("param") == "owner", "\(answer.text)")
                }
                #expect(try await server.send(.GET, "\(path)?owner=+acme+").objects.count == 1)
            }
        }
    }

    @Test(
        "an owner that is not a path is refused",
        arguments: [
            "/a", "a/", "a//b", "/", "a/ b", "a /b", "a/*", "**", "a/b/c/d/e/f/g/h/i",
            String(repeating: "a", count: 65),
            Array(repeating: String(repeating: "\u{20000}", count: 50), count: 8).joined(separator: "/"),
        ])
    func invalid(owner: String) async throws {
        try await ControlServer.with { server in
            let key = try await server.create("{\"name\":\"n\",\"owner\":\"\(owner)\"}")
            #expect(key.status == 400 && key.errorText("param") == "owner", "\(key.text)")
            let admin = try await server.send(
                .POST, Self.adminKeys, body: "{\"name\":\"n\",\"owner\":\"\(owner)\",\(Self.permissions)}")
            #expect(admin.status == 400 && admin.errorText("param") == "owner", "\(admin.text)")
        }
    }

    @Test("the longest owner is accepted") func longest() async throws {
        let owner = Array(repeating: String(repeating: "ä", count: 64), count: 8).joined(separator: "/")
        #expect(owner.unicodeScalars.count == OwnerPath.lengthLimit)
        try await ControlServer.with { server in
            let key = try await server.create("{\"name\":\"n\",\"owner\":\" \(owner) \"}")
            #expect(key.status == 201 && key.object["owner"] as? String == owner, "\(key.text)")
        }
    }
}
