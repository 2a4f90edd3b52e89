import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Unkey's own client", .timeLimit(.minutes(3)))
struct UnkeyClientTests {
    @Test("pointed at Keyward, it makes, verifies, changes, lists and deletes keys, and raises its own errors")
    func client() async throws {
        let python = ProxyKind.repository.appending(path: ".build/tools/bin/python").path
        try #require(FileManager.default.isExecutableFile(atPath: python), "scripts/test-tools was not run")
        let database = try await TestDatabase.create()
        let keyward = try await KeywardProcess.start(database: database.connectionString)
        let limited = try await keyward.send(
            .POST, keyward.control + "/admin/api/v1/admin-keys", key: keyward.adminKey,
            body: #"{"name":"limited","permissions":["verify"]}"#)
        let script = ProxyKind.repository.appending(path: "Tests/Clients/unkey_client.py").path
        let process = ChildProcess(
            python, [script],
            environment: [
                "KEYWARD_URL": keyward.control, "KEYWARD_ADMIN_KEY": keyward.adminKey,
                "KEYWARD_LIMITED_KEY": limited.object["value"] as? String ?? "",
            ])
        let status = try await process.waitForExit()
        #expect(status == 0 && process.output.all.last == "as it should be", "\(process.log.text)")
        #expect(!keyward.logText.contains("sk_live_"))
        _ = try await keyward.stop()
        try await database.drop()
    }
}
