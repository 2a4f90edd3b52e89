import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Admin key and audit commands", .timeLimit(.minutes(6)))
struct AdminCommandTests {
    private func object(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("admin-keys creates, lists, shows, updates and deactivates, with text and JSON output")
    func adminKeys() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        func keyward(_ arguments: String...) async throws -> (status: Int32, output: String, error: String) {
            try await KeywardProcess.run(["admin-keys"] + arguments, environment: environment)
        }
        let created = try object(
            try await keyward(
                "create", "--name", "ci", "--permission", "keys:read", "--permission", "keys:rotate", "--json"
            ).output)
        let (id, value) = (try #require(created["id"] as? String), try #require(created["value"] as? String))
        let human = try await keyward("create", "--name", "auditor", "--permission", "audit:read", "--owner", "team")
        #expect(human.output.contains("shown this once") && human.output.contains("kwa_"), "\(human)")
        let used = try await KeywardProcess.run(
            ["keys", "list"], environment: ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": value])
        #expect(used.status == 0)
        let lacking = try await KeywardProcess.run(
            ["keys", "create", "--name", "n"],
            environment: ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": value])
        #expect(lacking.status == 4 && lacking.error.contains("lacks the permission keys:write"), "\(lacking.error)")
        let listed = try await keyward("list")
        #expect(listed.output.hasPrefix("ID") && listed.output.contains("team") && !listed.output.contains(value))
        let updated = try object(
            try await keyward("update", id, "--permission", "verify", "--expires-at", "2100-01-01T00:00:00Z", "--json")
                .output)
        #expect(updated["permissions"] as? [String] == ["verify"] && updated["version"] as? Int == 2)
        #expect(try await keyward("update", id, "--name", "x", "--if-version", "1").error.contains("changed meanwhile"))
        #expect(try await keyward("update", id).status == 1)
        #expect(try await keyward("show", id).output.contains("2100-01-01"))
        #expect(try await keyward("deactivate", id).status == 0)
        #expect(try await keyward("show", id).output.contains("deactivated"))
        #expect(
            try await keyward("create", "--name", "n", "--permission", "root").error.contains(
                "permissions must be one of"))
        #expect(try await keyward("create", "--name", "n").status == 2)
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("audit lists, verifies and exports, and verify fails after tampering with the database")
    func audit() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        func keyward(_ arguments: String...) async throws -> (status: Int32, output: String, error: String) {
            try await KeywardProcess.run(["audit"] + arguments, environment: environment)
        }
        let key = try await instance.create("first")
        _ = try await instance.admin(.PATCH, "/\(key.id)", body: #"{"name":"second"}"#)
        _ = try await instance.admin(.POST, "/\(key.id)/deactivate")
        // The instance seals the events within seconds.
        let sealed = try await eventually {
            try await Psql.run("SELECT count(*) FROM audit_seals", on: database.connectionString) == "3"
        }
        #expect(sealed)
        let listed = try await keyward("list")
        #expect(listed.output.hasPrefix("AT") && listed.output.contains("bootstrap"), "\(listed)")
        #expect(listed.output.contains(#"name: "first" -> "second""#), "\(listed.output)")
        #expect(!listed.output.contains(key.value))
        let machine = try await keyward("list", "--json", "--action", "key.update", "--key-id", key.id)
        let events = try #require(try JSONSerialization.jsonObject(with: Data(machine.output.utf8)) as? [[String: Any]])
        #expect(events.count == 1 && events[0]["address"] as? String == "127.0.0.1" && events[0]["seq"] as? Int == 2)
        let paged = try await keyward("list", "--json", "--limit", "1", "--all")
        #expect((try JSONSerialization.jsonObject(with: Data(paged.output.utf8)) as? [Any])?.count == 3)

        let good = try await keyward("verify")
        #expect(good.status == 0, "\(good)")
        let head = try #require(good.output.firstMatch(of: /head (3:[0-9a-f]{64})/)?.1)
        #expect(try await keyward("verify", "--expect", String(head)).status == 0)
        let exported = try await keyward("export")
        #expect(exported.output.split(separator: "\n").count == 3 && exported.status == 0, "\(exported)")
        try await Psql.run(
            "ALTER TABLE audit_events DISABLE TRIGGER USER", "DELETE FROM audit_events WHERE id = 2",
            "ALTER TABLE audit_events ENABLE TRIGGER USER", on: database.connectionString)
        let bad = try await keyward("verify")
        #expect(bad.status == 1 && bad.output.contains("removed  seal 2, event 2"), "\(bad)")
        let json = try await keyward("verify", "--json")
        #expect(json.status == 1)
        #expect(try object(json.output)["intact"] as? Bool == false)
        let wrong = try await keyward("verify", "--expect", "nonsense")
        #expect(wrong.status == 4 && wrong.error.contains("SEQ:HASH"))
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("serve runs as a role that owns no tables, with the rights of migrate grants")
    func runtimeRole() async throws {
        let server = try await TestServer.start()
        let role = "keyward_run"
        let owner = ["KEYWARD_DATABASE_URL": server.connectionString]
        let runtime = try await server.admit(role: role)
        let early = try await KeywardProcess.run(
            ["serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"],
            environment: [
                "KEYWARD_DATABASE_URL": runtime, "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey,
                "KEYWARD_LOG_LEVEL": "error",
            ])
        #expect(early.status == 1 && early.error.contains("permission denied"), "\(early.error)")
        #expect(try await KeywardProcess.run(["migrate", "up"], environment: owner).status == 0)
        let printed = try await KeywardProcess.run(["migrate", "grants", role], environment: owner)
        #expect(printed.output.contains("GRANT SELECT, INSERT ON audit_seals TO \"\(role)\";"), "\(printed)")
        let less = try await KeywardProcess.run(["migrate", "grants", role, "--verify-only"], environment: owner)
        #expect(less.output.contains("GRANT SELECT ON auth_key_secrets TO \"\(role)\";"), "\(less)")
        #expect(
            less.output.contains("REVOKE ALL ON admin_keys") && !less.output.contains("ON admin_keys TO"), "\(less)")
        let given = try await KeywardProcess.run(["migrate", "grants", role, "--apply"], environment: owner)
        #expect(given.status == 0, "\(given)")

        let instance = try await KeywardProcess.start(database: runtime)
        let key = try await instance.create()
        #expect(try await instance.call(key.value).status == 200)
        #expect(try await instance.admin(.PATCH, "/\(key.id)", body: #"{"labels":{"a":"b"}}"#).status == 200)
        #expect(try await instance.admin(.POST, "/\(key.id)/rotate").status == 201)
        #expect(try await instance.admin(.DELETE, "/\(key.id)/previous-secret").status == 204)
        #expect(try await instance.admin(.POST, "/\(key.id)/deactivate").status == 204)
        #expect(try await instance.admin(.DELETE, "/\(key.id)").status == 204)
        let adminKey = try await instance.send(
            .POST, instance.control + "/admin/api/v1/admin-keys", key: instance.adminKey,
            body: #"{"name":"n","permissions":["admin"]}"#)
        #expect(adminKey.status == 201)
        let id = try #require(adminKey.object["id"] as? String)
        let gone = try await instance.send(
            .POST, instance.control + "/admin/api/v1/admin-keys/\(id)/deactivate", key: instance.adminKey)
        #expect(gone.status == 204)
        let sealed = try await eventually {
            try await Psql.run("SELECT count(*) FROM audit_seals", on: server.connectionString) == "8"
        }
        #expect(sealed)
        let verified = try await KeywardProcess.run(
            ["audit", "verify"],
            environment: ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey])
        #expect(verified.status == 0, "\(verified)")
        for statement in ["DELETE FROM audit_events", "ALTER TABLE audit_events DISABLE TRIGGER ALL"] {
            await #expect(throws: TestSupportError.self) { try await Psql.run(statement, on: runtime) }
        }
        #expect(!instance.logText.contains("permission denied"), "\(instance.logText)")
        _ = try await instance.stop()
        await server.destroy()
    }
}
