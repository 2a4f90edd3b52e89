import AuthKeys
import Foundation
import KeyAdministration
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Audit routes")
struct AuditRouteTests {
    private let path = "/admin/api/v1/audit-events"
    private let keys = "/admin/api/v1/auth-keys"

    /// Returns the events, newest first, as soon as `count` of them are written.
    private func events(_ server: ControlServer, count: Int, _ query: String = "") async throws -> [[String: Any]] {
        _ = try await eventually {
            try await server.store.events(AuditQuery(limit: 1_000)).count >= count
        }
        let answer = try await server.send(.GET, path + query)
        #expect(answer.status == 200)
        return answer.objects
    }

    @Test("a change is recorded with its actor, address, request id and changed members, never a secret")
    func change() async throws {
        try await ControlServer.with { server in
            let created = try await server.create(#"{"name":"n","owner":"o"}"#)
            let (id, value) = (
                try #require(created.object["id"] as? String), try #require(created.object["value"] as? String)
            )
            let patched = try await server.send(.PATCH, "\(keys)/\(id)", body: #"{"name":"m"}"#)
            let all = try await events(server, count: 2)
            #expect(all.map { $0["action"] as? String } == ["key.update", "key.create"])
            let event = all[0]
            #expect((event["actor"] as? [String: String]) == ["kind": "bootstrap"])
            #expect(event["address"] as? String == "127.0.0.1")
            #expect(event["request_id"] as? String == patched.headers.first(name: "X-Request-Id"))
            #expect(event["key_id"] as? String == id && event["owner"] as? String == "o")
            #expect(event["outcome"] as? String == "done" && event["code"] == nil)
            let changes = try #require(event["changes"] as? [String: [String: String]])
            #expect(changes == ["name": ["from": "n", "to": "m"]])
            let text = try await server.send(.GET, path).text
            let digest = Array(value.utf8).withUnsafeBytes { SecretDigest(hashing: $0) }
            #expect(!text.contains(value) && !text.contains(Hex.text(digest.bytes)))
        }
    }

    @Test("refused attempts are recorded with the reason; refused reads only for lack of authorization")
    func refused() async throws {
        try await ControlServer.with { server in
            let id = KeyID.generate().description
            let attempts: [(HTTPMethod, String, String?, String?, String, String)] = [
                (.POST, keys, #"{"name":" "}"#, ControlServer.adminKey, "key.create", "validation_failed"),
                (.POST, keys, "{", ControlServer.adminKey, "key.create", "invalid_json"),
                (.PATCH, "\(keys)/\(id)", "{}", ControlServer.adminKey, "key.update", "key_not_found"),
                (.DELETE, "\(keys)/\(id)", nil, ControlServer.adminKey, "key.delete", "key_not_found"),
                (.GET, keys, nil, nil, "key.read", "key_missing"),
                (.POST, "\(keys)/\(id)/deactivate", nil, "wrong", "key.deactivate", "key_unknown"),
            ]
            for (method, path, body, admin, _, _) in attempts {
                _ = try await server.send(method, path, body: body, admin: admin)
            }
            _ = try await server.send(.GET, "\(keys)/\(id)")
            _ = try await server.send(.GET, "\(path)?limit=0")
            let all = try await events(server, count: attempts.count)
            #expect(all.count == attempts.count)
            for (event, attempt) in zip(all.reversed(), attempts) {
                #expect(event["action"] as? String == attempt.4 && event["code"] as? String == attempt.5, "\(event)")
                #expect(event["outcome"] as? String == "refused")
                let kind = (event["actor"] as? [String: String])?["kind"]
                #expect(kind == (attempt.3 == ControlServer.adminKey ? "bootstrap" : "anonymous"))
                #expect((event["key_id"] as? String == id) == attempt.1.contains(id))
            }
        }
    }

    @Test("a flood of unauthenticated attempts does not fill the trail")
    func flood() async throws {
        try await ControlServer.with { server in
            for _ in 0..<120 { _ = try await server.send(.GET, keys, admin: "wrong") }
            await server.administration.refusals.close()
            let count = try await server.store.events(AuditQuery(limit: 1_000)).count
            #expect((50..<100).contains(count), "\(count)")
            let metrics = try await server.send(.GET, "/metrics", admin: nil)
            #expect(metrics.status == 200)
        }
    }

    @Test("events are filtered and paged")
    func list() async throws {
        try await ControlServer.with { server in
            for number in 0..<5 {
                _ = try await server.create("{\"name\":\"n\(number)\",\"owner\":\"o\(number % 2)\"}")
            }
            #expect(try await events(server, count: 5, "?owner=o0").count == 3)
            #expect(try await events(server, count: 5, "?actor=bootstrap&action=key.create&outcome=done").count == 5)
            #expect(try await events(server, count: 5, "?action=key.delete").isEmpty)
            #expect(
                try await events(server, count: 5, "?since=2001-01-01T02:00:00+02:00&until=2001-01-02T00:00:00Z")
                    .isEmpty)
            var target: String? = "\(path)?limit=2&actor=bootstrap"
            var ids: [Int] = []
            while let next = target {
                let page = try await server.send(.GET, next)
                #expect(page.status == 200 && page.objects.count <= 2)
                ids += page.objects.compactMap { $0["id"] as? Int }
                target = page.headers.first(name: "Link")?.split(separator: ">").first.map { String($0.dropFirst()) }
            }
            #expect(ids == [5, 4, 3, 2, 1])
            for (query, param) in [
                ("limit=0", "limit"), ("cursor=x", "cursor"), ("actor=me", "actor"), ("action=key.eat", "action"),
                ("key_id=x", "key_id"), ("outcome=maybe", "outcome"), ("since=now", "since"),
                ("since=", "since"), ("actor=", "actor"), ("owner=", "owner"), ("key_id=", "key_id"),
                ("until=2001", "until"),
            ] {
                let answer = try await server.send(.GET, "\(path)?\(query)")
                #expect(answer.status == 400 && answer.errorText("param") == param, "\(query)")
            }
        }
    }

    @Test("the export contains all events, oldest first, one a line, and is itself recorded")
    func export() async throws {
        try await ControlServer.with { server in
            try await server.store.record(
                (0..<2_500).map { _ in
                    NewAuditEvent(actor: .system, origin: AdminCall.test.origin, action: .keyCreate)
                })
            let answer = try await server.send(.GET, "\(path)/export")
            #expect(answer.headers.first(name: "Content-Type") == "application/x-ndjson")
            let ids = try answer.text.split(separator: "\n").map { line in
                try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])["id"] as? Int
            }
            #expect(ids.prefix(2_500) == (1...2_500).map { Optional($0) }[...])
            let last = try await server.store.events(AuditQuery(limit: 1)).first
            #expect(last?.action == "audit.export" && last?.actor == "bootstrap")
            let none = try await server.send(.GET, "\(path)/export?action=key.delete")
            #expect(none.status == 200 && none.text.isEmpty)
            server.store.isDown = true
            #expect(try await server.send(.GET, "\(path)/export").status == 503)
        }
    }

    @Test("verify returns the head and the findings")
    func verify() async throws {
        try await ControlServer.with { server in
            for number in 0..<3 { _ = try await server.create("{\"name\":\"n\(number)\"}") }
            let valid = try await server.send(.GET, "\(path)/verify").object
            #expect(valid["intact"] as? Bool == true && valid["sealed"] as? Int == 3 && valid["pending"] as? Int == 0)
            let head = try #require(valid["head"] as? [String: Any])
            let (seq, hash) = (try #require(head["seq"] as? Int), try #require(head["hash"] as? String))
            #expect(seq == 3 && hash.count == 64)
            let kept = try await server.send(.GET, "\(path)/verify?expect=\(seq):\(hash)").object
            #expect(kept["intact"] as? Bool == true)
            let other = try await server.send(
                .GET, "\(path)/verify?expect=\(seq):\(String(repeating: "0", count: 64))"
            ).object
            #expect(other["intact"] as? Bool == false)
            for expect in ["3", "x:y", "0:\(hash)", "3:\(hash)0", "-1:\(hash)"] {
                let answer = try await server.send(.GET, "\(path)/verify?expect=\(expect)")
                #expect(answer.status == 400 && answer.errorText("param") == "expect", "\(expect)")
            }
            server.store.tamper { $0.removeFirst() }
            let invalid = try await server.send(.GET, "\(path)/verify").object
            let findings = try #require(invalid["findings"] as? [[String: Any]])
            #expect(findings.map { $0["kind"] as? String } == ["removed"] && findings[0]["event_id"] as? Int == 1)
        }
    }
}
