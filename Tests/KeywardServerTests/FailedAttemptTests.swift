import Foundation
import NIOHTTP1
import TestSupport
import Testing

/// The setting `KEYWARD_FAILED_ATTEMPTS` of a whole instance.
@Suite("Failed attempts of an instance", .timeLimit(.minutes(5)))
struct FailedAttemptTests {
    private func forward(_ keyward: KeywardProcess, _ key: String) async throws -> KeywardProcess.Answer {
        try await keyward.send(
            .GET, keyward.control + "/v1/forward-auth", key: key,
            fields: [
                ("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/"), ("X-Forwarded-For", "127.0.0.1"),
            ])
    }

    @Test("the entry points of an instance share the budget of a network, and admin keys have their own")
    func shared() async throws {
        let database = try await TestDatabase.create()
        let keyward = try await KeywardProcess.start(
            database: database.connectionString, environment: ["KEYWARD_FAILED_ATTEMPTS": "4/1h"])
        let key = try await keyward.create().value
        for _ in 0..<2 { #expect(try await keyward.call("junk").status == 401) }
        for _ in 0..<2 { #expect(try await forward(keyward, "junk").status == 401) }
        for answer in [try await keyward.call("junk"), try await forward(keyward, "junk")] {
            #expect(answer.status == 429 && answer.code == "too_many_failed_attempts")
            #expect((900...1_800).contains(answer.headers.first(name: "Retry-After").flatMap { Int($0) } ?? 0))
        }
        #expect(try await keyward.call(key).status == 200)
        #expect(try await forward(keyward, key).status == 200)

        let path = keyward.control + "/admin/api/v1/auth-keys"
        for status in [401, 401, 401, 401, 429] {
            #expect(try await keyward.send(.GET, path, key: "junk").status == status)
        }
        #expect(try await keyward.admin(.GET).status == 200)

        let metrics = try await keyward.send(.GET, keyward.control + "/metrics", key: nil).text
        #expect(metrics.contains("keyward_failed_attempts_limited_total{credentials=\"keys\"} 2"))
        #expect(metrics.contains("keyward_failed_attempts_limited_total{credentials=\"admin_keys\"} 1"))
        #expect(metrics.contains("keyward_failed_attempts_networks 2"))
        #expect(try await keyward.stop() == 0)
        let lines = keyward.logText.split(separator: "\n").filter { $0.contains("sends too many invalid credentials") }
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains(#""network":"127.0.0.1""#) }, "\(lines)")
        try await database.drop()
    }

    @Test("with off, nothing is limited, and an invalid value stops the start")
    func setting() async throws {
        let database = try await TestDatabase.create()
        let keyward = try await KeywardProcess.start(
            database: database.connectionString, environment: ["KEYWARD_FAILED_ATTEMPTS": "off"])
        for _ in 0..<70 { #expect(try await keyward.call("junk").status == 401) }
        _ = try await keyward.stop()
        try await database.drop()
        for value in ["60", "60/", "/1m", "0/1m", "60/1", "60/25h", "60/500ms", "1000001/1m", "sixty/1m"] {
            let result = try await KeywardProcess.run(
                ["serve", "--failed-attempts", value, "--database-wait", "1s"],
                environment: [
                    "KEYWARD_DATABASE_URL": "postgres://127.0.0.1:1/none", "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey,
                ])
            #expect(result.status == 1 && result.error.contains("KEYWARD_FAILED_ATTEMPTS"), "\(value): \(result.error)")
        }
    }
}
