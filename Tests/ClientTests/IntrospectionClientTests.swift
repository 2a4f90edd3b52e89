import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Introspection by a client library", .timeLimit(.minutes(6)))
struct IntrospectionClientTests {
    private typealias Object = [String: Any]

    @Test("Authlib discovers the endpoint, and introspects valid and invalid keys")
    func authlib() async throws {
        let database = try await TestDatabase.create()
        let keyward = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--issuer", "https://keys.internal"])
        let (valid, gone) = (
            try await keyward.create("billing", #","owner":"acme","scopes":["documents:read","reports:*"]"#),
            try await keyward.create()
        )
        let deactivated = try await keyward.admin(.POST, "/\(gone.id)/deactivate")
        #expect(deactivated.status == 204)
        // The admin key has only the permission verify; its secret must survive the encoding of Basic.
        let made = try await keyward.send(
            .POST, keyward.control + "/admin/api/v1/admin-keys", key: keyward.adminKey,
            body: #"{"name":"resource server","permissions":["verify"]}"#)
        let secret = try #require(made.object["value"] as? String)

        let script = TestTool.repository.appending(path: "Tests/ClientTests/Python/introspect.py").path
        let result = try await TestTool.run(
            "python", [script],
            environment: [
                "KEYWARD_CONTROL_URL": keyward.control, "ADMIN_KEY": secret,
                "KEYS": "\(valid.value) \(gone.value) not-a-key",
            ])
        #expect(result.status == 0, "\(result.error)")
        let described = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? Object)

        let metadata = try #require(described["metadata"] as? Object)
        #expect(metadata["issuer"] as? String == "https://keys.internal")
        #expect(metadata["introspection_endpoint"] as? String == "https://keys.internal/v1/introspect")

        let answers = try ["requests", "httpx"].map { try #require(described[$0] as? [Object]) }
        for answers in answers {
            #expect(answers.map { $0["status"] as? Int } == [200, 200, 200])
            let bodies = answers.compactMap { $0["body"] as? Object }
            #expect(bodies.map { $0["active"] as? Bool } == [true, false, false])
            #expect(bodies.dropFirst().allSatisfy { $0.count == 1 }, "an invalid key has other members than active")
            let body = try #require(bodies.first)
            #expect(body["client_id"] as? String == valid.id && body["sub"] as? String == "acme")
            #expect(body["scope"] as? String == "documents:read reports:*" && body["username"] as? String == "billing")
            #expect(body["iss"] as? String == "https://keys.internal" && body["token_type"] as? String == "Bearer")
        }
        let hinted = try #require(described["hinted"] as? Object)
        #expect((hinted["body"] as? Object)?["active"] as? Bool == true)
        // Of Authlib's methods, the metadata list only Basic.
        for name in ["wrong", "posted"] {
            let refused = try #require(described[name] as? Object)
            #expect(refused["status"] as? Int == 401)
            #expect((refused["body"] as? Object)?["error"] as? String == "invalid_client")
        }
        _ = try await keyward.stop()
        try await database.drop()
    }
}
