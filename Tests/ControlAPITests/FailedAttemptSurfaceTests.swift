import AuthKeys
import Foundation
import HTTPCredentials
import KeyAdministration
import Logging
import NIOHTTP1
import RequestLog
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Failed attempts at the control listener")
struct FailedAttemptSurfaceTests {
    private let clock = ManualClock()

    /// Three attempts in a minute.
    private func attempts(_ credentials: FailedAttempts.Credentials = .keys) throws -> FailedAttempts {
        FailedAttempts(
            try #require(AttemptRate(3, in: .seconds(60))), of: credentials, time: clock.source,
            logger: Logger(label: "attempts") { _ in LogLines().handler })
    }

    private func forward(
        _ token: String, _ server: ControlServer, from address: String?, query: String = ""
    ) async throws -> ControlServer.Answer {
        let forwarded = address.map { [("X-Forwarded-For", $0)] } ?? []
        return try await server.send(
            .GET, "/v1/forward-auth\(query)", admin: nil,
            headers: [("X-Original-Method", "GET"), ("X-Original-URI", "/"), ("Authorization", "Bearer \(token)")]
                + forwarded)
    }

    @Test("forward-auth refuses guesses with 429, or with 403 for a proxy that asks for it")
    func forwardAuth() async throws {
        try await ControlServer.with(attempts: try attempts()) { server in
            for token in ["junk", Token.generate().value, "junk"] {
                #expect(try await forward(token, server, from: "192.0.2.1").status == 401)
            }
            var wait = 0
            for (query, status) in [("", 429), ("?limited=403", 403)] {
                let answer = try await forward("junk", server, from: "192.0.2.1", query: query)
                #expect(answer.status == status && answer.errorText("code") == "too_many_failed_attempts")
                #expect(answer.errorText("type") == "rate_limit_error")
                #expect(answer.headers["X-Keyward-Status"] == ["429"])
                #expect(answer.headers["X-Keyward-Error"] == [answer.text])
                #expect(answer.headers["WWW-Authenticate"].isEmpty)
                wait = answer.headers["Retry-After"].first.flatMap { Int($0) } ?? 0
                #expect((20...40).contains(wait))
            }
            let valid = try #require(try await server.create(#"{"name":"valid"}"#).object["value"] as? String)
            #expect(try await forward(valid, server, from: "192.0.2.1").status == 200)
            #expect(try await forward("junk", server, from: "192.0.2.2").status == 401)
            for _ in 0..<5 { #expect(try await forward("junk", server, from: nil).status == 401) }
            clock.advance(by: .seconds(wait))
            #expect(try await forward("junk", server, from: "192.0.2.1").status == 401)
            server.requestLog.close()
            let lines = try #require(server.requestLog.rows).takeLines()
            let limited = lines.filter { $0.code == "too_many_failed_attempts" }
            #expect(limited.count == 2 && limited.allSatisfy { $0.outcome == .limited && $0.status == 429 })
        }
    }

    @Test("verify states the limit where the caller states the client's address, and else limits nothing")
    func verify() async throws {
        try await ControlServer.with(attempts: try attempts()) { server in
            func verify(_ token: String, _ more: String) async throws -> [String: Any] {
                let answer = try await server.send(.POST, "/v1/verify", body: #"{"key":"\#(token)"\#(more)}"#)
                #expect(answer.status == 200)
                return answer.object
            }
            let address = #","ip":"192.0.2.1""#
            for _ in 0..<5 { #expect(try await verify("junk", "")["code"] as? String == "MALFORMED") }
            for _ in 0..<2 { #expect(try await verify("junk", address)["code"] as? String == "MALFORMED") }
            #expect(try await verify(Token.generate().value, address)["code"] as? String == "NOT_FOUND")
            for token in ["junk", Token.generate().value] {
                let limited = try await verify(token, address)
                #expect(limited["code"] as? String == "TOO_MANY_FAILED_ATTEMPTS" && limited["valid"] as? Bool == false)
                #expect(limited["status"] as? Int == 429 && limited["www_authenticate"] == nil)
                #expect((20...40).contains(limited["retry_after"] as? Int ?? 0))
                #expect(Set(limited.keys) == ["code", "message", "retry_after", "status", "valid"])
            }
            let valid = try #require(try await server.create(#"{"name":"valid"}"#).object["value"] as? String)
            #expect(try await verify(valid, address)["code"] as? String == "VALID")
            #expect(try await verify("junk", "")["code"] as? String == "MALFORMED")
        }
    }

    @Test("introspection and Unkey's API respond to a network over its budget as before")
    func others() async throws {
        let attempts = try attempts()
        try await ControlServer.with(attempts: attempts) { server in
            for _ in 0..<5 {
                let answer = try await server.send(
                    .POST, "/v1/introspect", body: "token=junk&ip=192.0.2.1",
                    headers: [("Content-Type", "application/x-www-form-urlencoded")])
                #expect(answer.status == 200 && answer.object.count == 1 && answer.object["active"] as? Bool == false)
                let unkey = try await server.send(.POST, "/v2/keys.verifyKey", body: #"{"key":"junk"}"#)
                #expect((unkey.object["data"] as? [String: Any])?["code"] as? String == "NOT_FOUND")
            }
            #expect(attempts.exceededCount == 1)
            #expect(try await forward("junk", server, from: "192.0.2.1").status == 429)
        }
    }

    @Test("unknown admin keys of a network are limited, and valid ones are not affected")
    func adminKeys() async throws {
        try await ControlServer.with(adminAttempts: try attempts(.adminKeys)) { server in
            let path = "/admin/api/v1/auth-keys"
            for _ in 0..<5 { #expect(try await server.send(.GET, path, admin: nil).status == 401) }
            for (method, path) in [
                (HTTPMethod.GET, path), (.POST, "/v1/verify"), (.POST, "/v2/keys.verifyKey"),
            ] {
                #expect(try await server.send(method, path, admin: "wrong").status == 401)
            }
            let refused = try await server.send(.GET, path, admin: "wrong")
            #expect(refused.status == 429 && refused.errorText("code") == "too_many_failed_attempts")
            #expect(refused.errorText("type") == "rate_limit_error" && refused.headers["WWW-Authenticate"].isEmpty)
            let wait = try #require(refused.headers["Retry-After"].first.flatMap { Int($0) })
            #expect((20...40).contains(wait))
            #expect(try await server.send(.POST, "/v1/verify", body: "{}", admin: "wrong").status == 429)
            let introspection = try await server.send(.POST, "/v1/introspect", admin: "wrong")
            #expect(introspection.status == 429 && introspection.headers["Retry-After"].count == 1)
            #expect(introspection.object["error"] as? String == "temporarily_unavailable")
            #expect(try await server.send(.GET, path).status == 200)
            let (key, body) = (Token.generate(prefix: AdminKey.prefix), #"{"name":"ops","permissions":["admin"]}"#)
            #expect(try await server.send(.GET, path, admin: key.value).status == 429)
            let made = try await server.send(.POST, "/admin/api/v1/admin-keys", body: body)
            let fresh = try #require(made.object["value"] as? String)
            #expect(try await server.send(.GET, "/admin/api/v1/admin-keys", admin: fresh).status == 200)
            clock.advance(by: .seconds(wait))
            #expect(try await server.send(.GET, path, admin: "wrong").status == 401)
        }
    }
}
