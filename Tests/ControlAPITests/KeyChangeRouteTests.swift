import AuthKeys
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Key change routes")
struct KeyChangeRouteTests {
    private let path = "/admin/api/v1/auth-keys"

    private func created(
        _ server: ControlServer,
        _ body: String = #"{"name":"n","labels":{"env":"prod"},"metadata":{"a":{"b":1,"c":2}}}"#
    ) async throws -> (id: String, value: String) {
        let key = try await server.create(body).object
        return (try #require(key["id"] as? String), try #require(key["value"] as? String))
    }

    private func isGood(_ value: String, _ server: ControlServer) -> Bool {
        let digest = Array(value.utf8).withUnsafeBytes { SecretDigest(hashing: $0) }
        return server.index.withKey(for: digest) { $0.state == .active && !$0.isExpired(at: .now) } ?? false
    }

    @Test("PATCH changes the given members, clears those that are null, and merges objects")
    func patch() async throws {
        try await ControlServer.with { server in
            let (id, value) = try await created(server)
            let answer = try await server.send(
                .PATCH, "\(path)/\(id)",
                body:
                    #"{"name":" new ","owner":"o","labels":{"env":null,"tier":"1"},"metadata":{"a":{"b":null,"d":true}}}"#
            )
            #expect(answer.status == 200)
            let key = answer.object
            #expect(key["name"] as? String == "new" && key["owner"] as? String == "o")
            #expect(key["labels"] as? [String: String] == ["tier": "1"])
            #expect(answer.text.contains(#""metadata":{"a":{"c":2,"d":true}}"#))
            #expect(key["version"] as? Int == 2)
            #expect(answer.headers.first(name: "ETag") == "\"2\"")
            #expect(key["value"] == nil)
            let paused = try await server.send(.PATCH, "\(path)/\(id)", body: #"{"enabled":false,"owner":null}"#)
            #expect(paused.object["active"] as? Bool == false && paused.object["owner"] == nil)
            #expect(!isGood(value, server))
            _ = try await server.send(.PATCH, "\(path)/\(id)", body: #"{"enabled":true}"#)
            #expect(isGood(value, server))
            let nothing = try await server.send(.PATCH, "\(path)/\(id)", body: "{}")
            #expect(nothing.object["version"] as? Int == 4)
        }
    }

    @Test(
        "an invalid PATCH is refused by member, and changes nothing",
        arguments: [
            (#"{"name":null}"#, "name"), (#"{"name":"  "}"#, "name"), (#"{"scopes":["a b"]}"#, "scopes"),
            (#"{"expires_at":"2001-01-01T00:00:00Z"}"#, "expires_at"), (#"{"labels":{"a b":"c"}}"#, "labels"),
            (#"{"labels":{"a":1}}"#, "labels"), (#"{"metadata":[1]}"#, "metadata"), (#"{"enabled":"yes"}"#, "enabled"),
            (#"{"metadata":{"a":"\u0000"}}"#, "metadata"),
            (#"{"metadata":{"a":"\#(String(repeating: "x", count: 4_096))"}}"#, "metadata"),
        ])
    func patchRefused(_ body: String, _ param: String) async throws {
        try await ControlServer.with { server in
            let (id, _) = try await created(server)
            let answer = try await server.send(.PATCH, "\(path)/\(id)", body: body)
            #expect(answer.status == 400)
            #expect(answer.errorText("param") == param)
            #expect(try await server.send(.GET, "\(path)/\(id)").object["version"] as? Int == 1)
        }
    }

    @Test("If-Match accepts only the current version")
    func ifMatch() async throws {
        try await ControlServer.with { server in
            let (id, _) = try await created(server)
            let tag = try #require(try await server.send(.GET, "\(path)/\(id)").headers.first(name: "ETag"))
            func patch(_ tag: String) async throws -> ControlServer.Answer {
                try await server.send(
                    .PATCH, "\(path)/\(id)", body: #"{"description":"\#(UUID())"}"#, headers: [("If-Match", tag)])
            }
            #expect(try await patch(tag).status == 200)
            let late = try await patch(tag)
            #expect(late.status == 412)
            #expect(late.errorText("code") == "version_mismatch")
            #expect(try await patch("*").status == 200)
            #expect(try await patch("W/\"1\"").status == 400)
            #expect(try await patch("1").status == 400)
        }
    }

    @Test("only a deactivated key can be deleted")
    func delete() async throws {
        try await ControlServer.with { server in
            let (id, value) = try await created(server)
            let early = try await server.send(.DELETE, "\(path)/\(id)")
            #expect(early.status == 409)
            #expect(early.errorText("code") == "key_not_deactivated")
            #expect(isGood(value, server))
            _ = try await server.send(.POST, "\(path)/\(id)/deactivate")
            #expect(try await server.send(.DELETE, "\(path)/\(id)").status == 204)
            #expect(try await server.send(.DELETE, "\(path)/\(id)").status == 404)
            #expect(try await server.send(.GET, "\(path)/\(id)").status == 404)
        }
    }

    @Test("a rotation returns a new secret once, and both are valid during the grace period")
    func rotate() async throws {
        try await ControlServer.with { server in
            let (id, old) = try await created(server, #"{"name":"n","prefix":"mine"}"#)
            let answer = try await server.send(.POST, "\(path)/\(id)/rotate", body: #"{"grace_seconds":60}"#)
            #expect(answer.status == 201)
            let new = try #require(answer.object["value"] as? String)
            #expect(new.hasPrefix("mine_") && new != old)
            #expect(answer.object["id"] as? String == id)
            #expect(answer.object["rotation_id"] != nil)
            #expect(isGood(old, server) && isGood(new, server))
            let shown = try await server.send(.GET, "\(path)/\(id)")
            let previous = try #require(shown.object["previous_secret"] as? [String: Any])
            #expect(previous["redacted_value"] as? String == "mine_...\(old.suffix(4))")
            #expect(!shown.text.contains(new))
            #expect(try await server.send(.DELETE, "\(path)/\(id)/previous-secret").status == 204)
            #expect(!isGood(old, server) && isGood(new, server))
        }
    }

    @Test("a rotation without a body has a day's grace period, and with 0 revokes the old secret at once")
    func grace() async throws {
        try await ControlServer.with { server in
            let (id, old) = try await created(server)
            #expect(try await server.send(.POST, "\(path)/\(id)/rotate").status == 201)
            #expect(isGood(old, server))
            let last = try await server.send(.POST, "\(path)/\(id)/rotate", body: #"{"grace_seconds":0}"#)
            #expect(last.status == 201)
            #expect(!isGood(old, server))
            for body in [
                #"{"grace_seconds":-1}"#, #"{"grace_seconds":99999999999}"#, #"{"grace_seconds":"1"}"#,
                #"{"grace_seconds":1e30}"#,
            ] {
                let refused = try await server.send(.POST, "\(path)/\(id)/rotate", body: body)
                #expect(refused.status == 400)
                #expect(refused.errorText("param") == "grace_seconds")
            }
        }
    }

    @Test("a repeated rotation is not carried out again, and names the first")
    func idempotent() async throws {
        try await ControlServer.with { server in
            let (id, _) = try await created(server)
            func rotate(_ key: String, _ body: String = "{}") async throws -> ControlServer.Answer {
                try await server.send(
                    .POST, "\(path)/\(id)/rotate", body: body, headers: [("Idempotency-Key", key)])
            }
            let first = try await rotate("one")
            let rotation = try #require(first.object["rotation_id"] as? String)
            let again = try await rotate("one")
            #expect(again.status == 409)
            #expect(again.errorText("code") == "idempotency_replayed")
            #expect(again.text.contains(rotation))
            #expect(try await rotate("one", #"{"grace_seconds":1}"#).errorText("code") == "idempotency_key_reused")
            #expect(try await rotate("two").status == 201)
        }
    }

    @Test("a rotation is refused for a deactivated, unknown or changed key")
    func rotateRefused() async throws {
        try await ControlServer.with { server in
            let (id, _) = try await created(server)
            let stale = try await server.send(.POST, "\(path)/\(id)/rotate", headers: [("If-Match", "\"9\"")])
            #expect(stale.status == 412)
            _ = try await server.send(.POST, "\(path)/\(id)/deactivate")
            let ended = try await server.send(.POST, "\(path)/\(id)/rotate")
            #expect(ended.status == 409 && ended.errorText("code") == "key_ended")
            #expect(try await server.send(.POST, "\(path)/\(KeyID.generate())/rotate").status == 404)
            #expect(try await server.send(.POST, "\(path)/none/rotate").status == 404)
        }
    }

    @Test("each route refuses a request without the admin key")
    func unauthorized() async throws {
        try await ControlServer.with { server in
            let (id, value) = try await created(server)
            for (method, suffix) in [
                (HTTPMethod.PATCH, ""), (.DELETE, ""), (.POST, "/rotate"), (.DELETE, "/previous-secret"),
            ] {
                #expect(try await server.send(method, "\(path)/\(id)\(suffix)", admin: nil).status == 401)
                #expect(try await server.send(method, "\(path)/\(id)\(suffix)", admin: value).status == 401)
            }
            #expect(try await server.send(.GET, "\(path)/\(id)").object["version"] as? Int == 1)
        }
    }

    @Test("the list and its next page are filtered by label")
    func label() async throws {
        try await ControlServer.with { server in
            for number in 0..<5 {
                _ = try await server.create(#"{"name":"n\#(number)","labels":{"odd":"\#(number % 2)"}}"#)
            }
            let page = try await server.send(.GET, "\(path)?label=odd%3D0&limit=2")
            #expect(page.objects.count == 2)
            let link = try #require(page.headers.first(name: "Link"))
            let target = try #require(link.split(separator: ">").first?.dropFirst())
            #expect(try await server.send(.GET, String(target)).objects.count == 1)
            #expect(try await server.send(.GET, "\(path)?label=odd").objects.count == 5)
            #expect(try await server.send(.GET, "\(path)?label=none").objects.isEmpty)
        }
    }
}
