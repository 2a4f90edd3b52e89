import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// Self-service of key holders, with real processes and PostgreSQL.
@Suite("Self-service", .timeLimit(.minutes(6)))
struct SelfServiceProcessTests {
    private static let path = "/.well-known/api-key"
    private static let arguments = ["--self-path", path]

    private func start(_ database: String, logLevel: String = "info") async throws -> KeywardProcess {
        try await KeywardProcess.start(database: database, arguments: Self.arguments, logLevel: logLevel)
    }

    private func rotate(
        _ key: String, at instance: KeywardProcess, _ body: String? = nil
    ) async throws -> KeywardProcess.Answer {
        try await instance.send(.POST, instance.gateway + Self.path + "/rotate", key: key, body: body)
    }

    @Test("a holder sees limits, credits and the requests of today, and a look spends nothing")
    func look() async throws {
        let database = try await TestDatabase.create()
        let instance = try await start(database.connectionString)
        let key = try await instance.create(
            "walk",
            #","owner":"acme","scopes":["docs:read"],"allowed_paths":["/v1/**"],"allowed_methods":["DELETE","GET"],"#
                + #""limits":[{"name":"hour","limit":2,"per":"1h"},{"name":"images","limit":9,"per":"day","match":["POST /img/**"]}],"#
                + #""credits":{"remaining":40,"refill":{"amount":50,"every":"month"}}"#)
        let blocked = try await instance.call(key.value).status
        #expect(blocked == 403)
        for expected in [200, 200, 429] {
            let status = try await instance.call(key.value, path: "/v1/a").status
            #expect(status == expected)
        }
        // The first lease of credits tells the instance how many there are.
        let isKnown = await eventually(within: .seconds(10)) {
            let seen = try? await instance.call(key.value, path: Self.path).object
            return (seen?["credits"] as? [String: Any])?["remaining"] as? Int == 38
        }
        #expect(isKnown)
        for _ in 0..<5 {
            let answer = try await instance.call(key.value, path: Self.path)
            let seen = answer.object
            #expect(answer.status == 200, "\(answer.text)")
            #expect(seen["auth_key_id"] as? String == key.id && seen["owner"] as? String == "acme")
            #expect(seen["requests_today"] as? Int == 2 && seen["self_rotation"] as? Bool == false)
            let limits = try #require(seen["limits"] as? [[String: Any]])
            #expect(limits.map { $0["name"] as? String } == ["hour", "images"])
            #expect(limits[0]["remaining"] as? Int == 0 && limits[0]["exceeded"] as? Bool == true)
            #expect(limits[1]["remaining"] as? Int == 9)
            let credits = try #require(seen["credits"] as? [String: Any])
            #expect(credits["remaining"] as? Int == 38, "\(credits)")
            #expect((credits["refill"] as? [String: Any])?["amount"] as? Int == 50)
            #expect(credits["reset_seconds"] as? Int ?? 0 > 0)
        }
        let refused = try await rotate(key.value, at: instance)
        #expect(refused.status == 403 && refused.code == "self_rotation_not_allowed")
        let counted = await eventually(within: .seconds(20)) {
            (try? await Psql.run(
                "SELECT count(*) FROM request_log l WHERE key_id = '\(key.id)' AND upstream IS NULL AND status = 200",
                on: database.connectionString)).flatMap { Int($0) } ?? 0 >= 6
        }
        #expect(counted, "each look has a line without an upstream")
        _ = try await instance.admin(.POST, "/\(key.id)/deactivate")
        let ended = try await instance.call(key.value, path: Self.path)
        #expect(ended.status == 401 && ended.code == "key_inactive")
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("a holder rotates its key, the old secret stays valid on both instances, and may not rotate again")
    func rotation() async throws {
        let database = try await TestDatabase.create()
        let (first, second) = (
            try await start(database.connectionString, logLevel: "trace"), try await start(database.connectionString)
        )
        let key = try await first.create("walk", #","owner":"acme","allowed_paths":["/v1/**"],"self_rotation":true"#)
        for body in [#"{"grace_seconds":-1}"#, #"{"grace_seconds":7776001}"#, #"{"grace":1}"#, "[]", "{"] {
            let answer = try await rotate(key.value, at: first, body)
            #expect(answer.status == 400, "\(body): \(answer.text)")
        }
        let answer = try await rotate(key.value, at: first, #"{"grace_seconds":600}"#)
        let value = try #require(answer.object["value"] as? String, "\(answer.text)")
        #expect(answer.status == 200 && answer.headers["Cache-Control"] == ["no-store"])
        #expect(answer.object["auth_key_id"] as? String == key.id)
        #expect(answer.object["previous_secret_expires_at"] as? String != nil)
        for instance in [first, second] {
            for secret in [key.value, value] {
                let isValid = await eventually(within: .seconds(5)) {
                    (try? await instance.call(secret, path: "/v1/a").status) == 200
                }
                #expect(isValid)
            }
            let old = try await rotate(key.value, at: instance)
            #expect(old.status == 403 && old.code == "secret_replaced", "\(old.text)")
            let again = try await rotate(value, at: instance)
            #expect(again.status == 429 && again.code == "rotated_recently", "\(again.text)")
            let wait = try #require(again.headers.first(name: "Retry-After").flatMap { Int($0) })
            #expect((30...60).contains(wait))
        }
        let events = try await first.send(
            .GET, first.control + "/admin/api/v1/audit-events?action=key.rotate&actor=key:\(key.id)",
            key: first.adminKey)
        let list = try #require(
            try JSONSerialization.jsonObject(with: Data(events.text.utf8)) as? [[String: Any]], "\(events.text)")
        let actor = try #require(list.first?["actor"] as? [String: Any])
        #expect(list.count == 1 && actor["kind"] as? String == "key_holder" && actor["id"] as? String == key.id)
        #expect(actor["name"] as? String == "walk" && list[0]["owner"] as? String == "acme")
        #expect(list[0]["address"] as? String == "127.0.0.1")
        #expect(list[0]["request_id"] as? String == answer.headers.first(name: "X-Request-Id"))
        let isLogged = await eventually(within: .seconds(20)) {
            (try? await Psql.run(
                "SELECT count(*) FROM request_log WHERE key_id = '\(key.id)' AND path = '\(Self.path)/rotate' AND status = 200",
                on: database.connectionString)) == "1"
        }
        #expect(isLogged)
        for instance in [first, second] {
            _ = try await instance.stop()
            let written = instance.logText + instance.outputText
            for secret in [key.value, value] { #expect(!written.contains(secret) && !events.text.contains(secret)) }
        }
        try await database.drop()
    }

    @Test("a rotation without grace ends the old secret, and the holder still gets the new one")
    func withoutGrace() async throws {
        let database = try await TestDatabase.create()
        let instance = try await start(database.connectionString)
        let key = try await instance.create("walk", #","self_rotation":true"#)
        let answer = try await rotate(key.value, at: instance, #"{"grace_seconds":0}"#)
        let value = try #require(answer.object["value"] as? String, "\(answer.text)")
        let old = try await instance.call(key.value, path: Self.path)
        #expect(old.status == 401)
        let new = try await instance.call(value, path: Self.path)
        #expect(new.status == 200 && new.object["self_rotation"] as? Bool == true)
        let patched = try await instance.admin(.PATCH, "/\(key.id)", body: #"{"self_rotation":null}"#)
        #expect(patched.status == 200 && patched.object["self_rotation"] == nil)
        let refused = try await rotate(value, at: instance)
        #expect(refused.status == 403 || refused.status == 429)
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("without PostgreSQL a holder still sees its key, and a rotation is 503")
    func away() async throws {
        let server = try await TestServer.start()
        let instance = try await start(server.connectionString)
        let key = try await instance.create("walk", #","self_rotation":true"#)
        await server.stop()
        let look = try await instance.call(key.value, path: Self.path)
        #expect(look.status == 200 && look.object["auth_key_id"] as? String == key.id)
        #expect(look.object["requests_today"] == nil && look.object["self_rotation"] == nil, "\(look.text)")
        let rotation = try await rotate(key.value, at: instance)
        #expect(rotation.status == 503 && rotation.code == "feature_unavailable", "\(rotation.text)")
        _ = try await instance.stop()
        await server.destroy()
    }

    @Test("the path is the upstream's unless it is set, and an invalid one is refused at start")
    func setting() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let key = try await instance.create()
        let answer = try await instance.call(key.value, path: Self.path)
        #expect(answer.status == 200 && answer.object["auth_key_id"] == nil)
        _ = try await instance.stop()
        try await database.drop()
        for path in ["api-key", "/a?b", "/a/*", "/", "/a/"] {
            let result = try await KeywardProcess.run(["serve", "--self-path", path])
            #expect(result.status != 0 && result.error.contains("KEYWARD_SELF_PATH"), "\(path): \(result)")
        }
    }
}
