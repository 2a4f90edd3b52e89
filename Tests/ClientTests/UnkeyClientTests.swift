import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Unkey's client", .timeLimit(.minutes(6)))
struct UnkeyClientTests {
    @Test("Unkey's client creates, verifies, changes, lists and deletes keys of Keyward, and raises its errors")
    func client() async throws {
        let database = try await TestDatabase.create()
        let keyward = try await KeywardProcess.start(database: database.connectionString)
        let limited = try await keyward.send(
            .POST, keyward.control + "/admin/api/v1/admin-keys", key: keyward.adminKey,
            body: #"{"name":"limited","permissions":["verify"]}"#)
        let script = TestTool.repository.appending(path: "Tests/ClientTests/Python/unkey_client.py").path
        let result = try await TestTool.run(
            "python", [script],
            environment: [
                "KEYWARD_URL": keyward.control, "KEYWARD_ADMIN_KEY": keyward.adminKey,
                "KEYWARD_LIMITED_KEY": limited.object["value"] as? String ?? "",
            ])
        #expect(result.status == 0 && result.output.contains("passed"), "\(result.error)")
        #expect(!keyward.logText.contains("sk_live_"))
        _ = try await keyward.stop()
        try await database.drop()
    }
}
