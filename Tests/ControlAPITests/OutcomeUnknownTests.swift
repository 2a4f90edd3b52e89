import AuthKeys
import Logging
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Unconfirmed change")
struct OutcomeUnknownTests {
    private static let keys = "/admin/api/v1/auth-keys"
    private static let admins = "/admin/api/v1/admin-keys"

    @Test("an unconfirmed change gets 503 outcome_unknown, and is in the trail under the request's id")
    func trail() async throws {
        try await ControlServer.with { server in
            let key = try #require(try await server.create(#"{"name":"n"}"#).object["id"] as? String)
            let admin = try await server.send(
                .POST, Self.admins, body: #"{"name":"a","permissions":["keys:read"]}"#)
            let adminID = try #require(admin.object["id"] as? String)
            let requests: [(HTTPMethod, String, String?)] = [
                (.POST, Self.keys, #"{"name":"m"}"#),
                (.PATCH, "\(Self.keys)/\(key)", #"{"name":"o"}"#),
                (.POST, "\(Self.keys)/\(key)/rotate", #"{"grace_seconds":600}"#),
                (.DELETE, "\(Self.keys)/\(key)/previous-secret", nil),
                (.POST, "\(Self.keys)/\(key)/deactivate", nil),
                (.DELETE, "\(Self.keys)/\(key)", nil),
                (.POST, "\(Self.keys)/import", #"{"name":"i","token":"a-token-of-another","prefix":"a-"}"#),
                (.POST, Self.admins, #"{"name":"b","permissions":["keys:read"]}"#),
                (.PATCH, "\(Self.admins)/\(adminID)", #"{"name":"c"}"#),
                (.POST, "\(Self.admins)/\(adminID)/deactivate", nil),
            ]
            server.store.losesAnswers = true
            for (method, path, body) in requests {
                let answer = try await server.send(method, path, body: body)
                #expect(answer.status == 503 && answer.errorText("code") == "outcome_unknown", "\(method) \(path)")
                #expect(answer.errorText("type") == "unavailable_error")
                let id = try #require(answer.headers.first(name: "X-Request-Id"))
                #expect(answer.errorText("message")?.contains(id) == true)
                let events = try await server.send(.GET, "/admin/api/v1/audit-events?request_id=\(id)")
                #expect(events.objects.count == 1, "\(method) \(path)")
                #expect(events.objects.first?["request_id"] as? String == id)
            }
        }
    }

    @Test("an unconfirmed change has Retry-After only if a repetition is harmless")
    func repetition() async throws {
        try await ControlServer.with { server in
            let key = try #require(try await server.create(#"{"name":"n"}"#).object["id"] as? String)
            server.store.losesAnswers = true
            let bare = try await server.create(#"{"name":"m"}"#)
            #expect(bare.headers.first(name: "Retry-After") == nil)
            #expect(bare.errorText("message")?.contains("before you repeat the request") == true)
            let header = [("Idempotency-Key", "order-18")]
            let claimed = try await server.create(#"{"name":"o"}"#, headers: header)
            #expect(claimed.headers.first(name: "Retry-After") == "1")
            #expect(claimed.errorText("message")?.contains("the same Idempotency-Key") == true)
            let revoked = try await server.send(.POST, "\(Self.keys)/\(key)/deactivate")
            #expect(revoked.headers.first(name: "Retry-After") == "1")

            server.store.losesAnswers = false
            let again = try await server.create(#"{"name":"o"}"#, headers: header)
            #expect(again.status == 409 && again.errorText("code") == "idempotency_replayed")
            #expect(try await server.send(.POST, "\(Self.keys)/\(key)/deactivate").status == 204)
            #expect(try await server.store.list(KeyQuery(limit: 10)).map(\.name).sorted() == ["m", "n", "o"])
        }
    }

    @Test(
        "a completed revocation is not reported as failed if the database becomes unavailable after it",
        arguments: [
            ("DELETE", "\(keys)/ID/previous-secret", nil, 204), ("POST", "\(keys)/ID/deactivate", nil, 204),
            ("POST", "/v2/keys.deleteKey", #"{"keyId":"ID"}"#, 200),
            ("POST", "/v2/keys.deleteKey", #"{"keyId":"ID","permanent":true}"#, 503),
        ] as [(String, String, String?, Int)])
    func databaseGoesAway(_ method: String, _ path: String, _ body: String?, _ status: Int) async throws {
        try await ControlServer.with { server in
            let key = try #require(try await server.create(#"{"name":"n"}"#).object["id"] as? String)
            _ = try await server.send(.POST, "\(Self.keys)/\(key)/rotate", body: #"{"grace_seconds":600}"#)
            server.store.goDownAfterNextChange()
            let answer = try await server.send(
                HTTPMethod(rawValue: method), path.replacing("ID", with: key), body: body?.replacing("ID", with: key))
            #expect(answer.status == status)
            if status == 503 { #expect(answer.errorText("type") == "urn:keyward:error:outcome_unknown") }
        }
    }

    @Test("an unconfirmed change is reported to Unkey's clients")
    func unkey() async throws {
        try await ControlServer.with { server in
            server.store.losesAnswers = true
            let answer = try await server.send(.POST, "/v2/keys.createKey", body: #"{"apiId":"api","name":"n"}"#)
            #expect(answer.status == 503)
            #expect(answer.errorText("type") == "urn:keyward:error:outcome_unknown")
            let id = try #require(answer.headers.first(name: "X-Request-Id"))
            #expect(answer.errorText("detail")?.contains(id) == true)
        }
    }
}

@Suite("Failure log")
struct FailureLogTests {
    @Test("each cause is logged once a second, with the number of omitted failures")
    func pace() async throws {
        let lines = LogLines()
        let logger = Logger(label: "test") { _ in lines.handler }
        let log = FailureLog()
        let start = ContinuousClock.now
        for number in 0..<1_000 {
            log.log(.warning, "failed", cause: "one", to: logger, now: start + .milliseconds(number))
        }
        log.log(.warning, "failed", cause: "two", to: logger, now: start)
        log.log(.warning, "failed", cause: "one", to: logger, now: start + .seconds(1))
        log.log(.warning, "failed", cause: "one", to: logger, now: start + .seconds(2))
        #expect(
            lines.all == ["failed error=one", "failed error=two", "failed error=one omitted=999", "failed error=one"])
    }

    @Test("an unavailable database is logged")
    func unavailable() async throws {
        let lines = LogLines()
        try await ControlServer.with(log: lines) { server in
            server.store.isDown = true
            for _ in 0..<5 { _ = try await server.send(.GET, "/admin/api/v1/auth-keys") }
        }
        let logged = lines.all.filter { $0.hasPrefix("database unavailable") }
        #expect((1...4).contains(logged.count) && logged.first?.contains("error=down") == true)
    }
}
