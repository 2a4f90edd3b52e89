import AuthKeys
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Strictness of admin routes")
struct StrictnessTests {
    private static let keys = "/admin/api/v1/auth-keys"
    private static let admins = "/admin/api/v1/admin-keys"
    private static let audit = "/admin/api/v1/audit-events"
    private static let id = "0190163d-8694-739b-8b6e-c1e1b9f4a2d3"

    @Test(
        "an unknown member is refused by name, and the key is not changed",
        arguments: [
            (HTTPMethod.PATCH, "", #"{"expires":null,"name":"m"}"#, "expires"),
            (.PATCH, "", #"{"prefix":"x"}"#, "prefix"), (.PATCH, "", #"{"Name":"m"}"#, "Name"),
            (.POST, "/rotate", #"{"grace":0}"#, "grace"), (.POST, "/rotate", #"{"grace_seconds":0,"a":1}"#, "a"),
        ])
    func members(_ method: HTTPMethod, _ suffix: String, _ body: String, _ param: String) async throws {
        try await ControlServer.with { server in
            let made = try await server.create(#"{"name":"n"}"#)
            let target = "\(Self.keys)/\(made.object["id"] ?? "")"
            let answer = try await server.send(method, target + suffix, body: body)
            #expect(answer.status == 400 && answer.errorText("param") == param, "\(answer.text)")
            #expect(answer.errorText("code") == "validation_failed")
            #expect(try await server.send(.GET, target).object["version"] as? Int == 1)
        }
    }

    @Test("an unknown member of an admin key is refused by name")
    func adminMembers() async throws {
        try await ControlServer.with { server in
            let wrong = try await server.send(
                .POST, Self.admins, body: #"{"name":"n","permissions":["verify"],"expire_at":"2100-01-01T00:00:00Z"}"#)
            #expect(wrong.status == 400 && wrong.errorText("param") == "expire_at")
            let made = try await server.send(.POST, Self.admins, body: #"{"name":"n","permissions":["verify"]}"#)
            let target = "\(Self.admins)/\(made.object["id"] ?? "")"
            let patched = try await server.send(.PATCH, target, body: #"{"permission":["admin"]}"#)
            #expect(patched.status == 400 && patched.errorText("param") == "permission")
        }
    }

    @Test("an unknown or repeated parameter is refused by name")
    func parameters() async throws {
        try await ControlServer.with { server in
            for (method, target, param) in [
                (HTTPMethod.GET, "\(Self.keys)?limits=1", "limits"), (.GET, "\(Self.keys)?owners=a", "owners"),
                (.GET, "\(Self.keys)?owner=a&owner=b", "owner"), (.POST, "\(Self.keys)?dry_run=true", "dry_run"),
                (.POST, "\(Self.keys)/import?dryrun=1", "dryrun"),
                (.POST, "\(Self.keys)/import?dry_run=true&dry_run=false", "dry_run"),
                (.GET, "\(Self.keys)/export?limit=1", "limit"), (.GET, "\(Self.keys)/export?own%65r=a", "own%65r"),
                (.GET, "\(Self.keys)/\(Self.id)?x", "x"),
                (.GET, "\(Self.keys)/\(Self.id)/explain?methods=GET", "methods"),
                (.GET, "\(Self.audit)?key=1", "key"), (.GET, "\(Self.audit)/export?from=1", "from"),
                (.GET, "\(Self.audit)/verify?expected=1", "expected"), (.GET, "\(Self.admins)?q=1", "q"),
            ] {
                let answer = try await server.send(method, target, body: method == .POST ? #"{"name":"n"}"# : nil)
                #expect(answer.status == 400 && answer.errorText("param") == param, "\(target): \(answer.text)")
                #expect(answer.errorText("code") == "validation_failed")
            }
            #expect(try await server.store.list(KeyQuery()).isEmpty)
            #expect(try await server.send(.GET, "\(Self.keys)?").status == 200)
            #expect(try await server.send(.GET, "\(Self.keys)?limits=1", admin: nil).status == 401)
        }
    }

    @Test("HEAD gets the response of GET without a body")
    func head() async throws {
        try await ControlServer.with { server in
            _ = try await server.create(#"{"name":"n"}"#)
            for path in [Self.keys, Self.audit, "/healthz", "/openapi.json"] {
                let (get, head) = (try await server.send(.GET, path), try await server.send(.HEAD, path))
                #expect(head.status == 200 && head.text.isEmpty && !get.text.isEmpty, "\(path)")
                for name in ["Content-Type", "Content-Length", "Cache-Control"] {
                    #expect(head.headers[name] == get.headers[name], "\(path) \(name)")
                }
            }
            #expect(try await server.send(.HEAD, Self.keys, admin: nil).status == 401)
            #expect(try await server.send(.HEAD, "\(Self.keys)/\(Self.id)").status == 404)
        }
    }

    @Test("an unsupported method gets 405 with the allowed methods")
    func methods() async throws {
        try await ControlServer.with { server in
            for (method, path, allowed) in [
                (HTTPMethod.PUT, Self.keys, "GET, HEAD, POST"), (.OPTIONS, Self.keys, "GET, HEAD, POST"),
                (.RAW(value: "PROPFIND"), Self.keys, "GET, HEAD, POST"),
                (.POST, "\(Self.keys)/\(Self.id)", "DELETE, GET, HEAD, PATCH"),
                (.GET, "\(Self.keys)/\(Self.id)/rotate", "POST"), (.HEAD, "\(Self.keys)/\(Self.id)/rotate", "POST"),
                (.DELETE, "\(Self.audit)", "GET, HEAD"), (.POST, "/healthz", "GET, HEAD"),
                // These literal paths take precedence over the path of a key.
                (.DELETE, "\(Self.keys)/export", "GET, HEAD"), (.OPTIONS, "\(Self.keys)/import", "POST"),
            ] {
                let answer = try await server.send(method, path, admin: nil)
                #expect(answer.status == 405 && answer.headers.first(name: "Allow") == allowed, "\(method) \(path)")
                #expect(method == .HEAD ? answer.text.isEmpty : answer.errorText("code") == "unsupported_method")
                #expect(answer.headers.first(name: "X-Request-Id") != nil)
            }
            for path in ["/admin", "/admin/api/v1/auth-keys/a/b/c", "/"] {
                #expect(try await server.send(.GET, path).status == 404)
            }
        }
    }
}
