import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Life of a key", .timeLimit(.minutes(6)))
struct KeyLifeTests {
    @Test("a key works from its creation to its revocation, on two instances")
    func issueUseRevoke() async throws {
        let database = try await TestDatabase.create()
        let first = try await KeywardProcess.start(database: database.connectionString)
        let second = try await KeywardProcess.start(database: database.connectionString)
        let key = try await first.create("walk")
        for instance in [first, second] {
            let answer = try await instance.call(key.value, path: "/some/path?q=1")
            #expect(answer.status == 200)
            #expect(answer.text.contains(key.id) && answer.text.contains("/some/path?q=1"))
            #expect(!answer.text.contains(key.value), "the gateway does not forward the secret")
        }
        let revoked = try await first.admin(.POST, "/\(key.id)/deactivate")
        #expect(revoked.status == 204)
        let here = try await first.call(key.value)
        #expect(here.status == 401 && here.code == "key_inactive")
        #expect(here.headers.first(name: "WWW-Authenticate")?.contains("invalid_token") == true)
        let there = await eventually(within: .seconds(5)) { (try? await second.call(key.value).status) == 401 }
        #expect(there)
        for instance in [first, second] {
            let status = try await instance.stop()
            #expect(status == 0)
        }
        try await database.drop()
    }

    @Test("a key that one instance creates is valid on another at once")
    func secondInstance() async throws {
        let database = try await TestDatabase.create()
        let first = try await KeywardProcess.start(database: database.connectionString)
        let second = try await KeywardProcess.start(database: database.connectionString)
        for number in 0..<300 {
            let key = try await first.create("n\(number)")
            let status = try await second.call(key.value).status
            #expect(status == 200, "key \(number)")
        }
        _ = try await (first.stop(), second.stop())
        try await database.drop()
    }

    @Test("a revocation without a notification takes effect within about a second")
    func withoutNotifications() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let key = try await instance.create()
        let before = try await instance.call(key.value).status
        #expect(before == 200)
        // A change with psql sends no notification.
        try await Psql.run(
            "UPDATE auth_keys SET deactivated_at = now() WHERE id = '\(key.id)'", on: database.connectionString)
        let refused = await eventually(within: .seconds(10)) { (try? await instance.call(key.value).status) == 401 }
        #expect(refused)
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("ten instances start concurrently on an empty database")
    func tenAtOnce() async throws {
        let database = try await TestDatabase.create()
        let instances = try await withThrowingTaskGroup(of: KeywardProcess.self) { group in
            for _ in 0..<10 { group.addTask { try await KeywardProcess.start(database: database.connectionString) } }
            return try await group.reduce(into: [KeywardProcess]()) { $0.append($1) }
        }
        let key = try await instances[0].create()
        for instance in instances {
            let status = try await instance.call(key.value).status
            #expect(status == 200)
        }
        for instance in instances { _ = try await instance.stop() }
        try await database.drop()
    }

    @Test("the log at the level trace has neither the secret nor the admin key nor the database's password")
    func canary() async throws {
        let database = try await TestDatabase.create()
        let canary = "canary-password-3f9a"
        let instance = try await KeywardProcess.start(
            database: database.connectionString + " password=\(canary)", logLevel: "trace")
        let key = try await instance.create("canary")
        let unknown = "kw_" + String(repeating: "0", count: 49)
        for credential in [key.value, unknown, "kw_malformed-canary"] {
            _ = try await instance.call(credential, path: "/x?token=\(key.value)")
        }
        _ = try await instance.admin(.POST, body: #"{"name":1}"#)
        _ = try await instance.admin(.POST, "/\(key.id)/deactivate")
        _ = try await instance.call(key.value)
        let status = try await instance.stop()
        #expect(status == 0)
        let written = instance.logText + instance.outputText
        #expect(!written.isEmpty)
        for secret in [key.value, String(key.value.dropFirst(3)), instance.adminKey, canary, "kw_malformed-canary"] {
            #expect(!written.contains(secret))
        }
        for line in instance.logText.split(separator: "\n") {
            #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil, "\(line)")
        }
        try await database.drop()
    }
}
