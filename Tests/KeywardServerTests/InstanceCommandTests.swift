import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Instances of one database", .timeLimit(.minutes(8)))
struct InstanceCommandTests {
    /// Returns the instances that one of them lists: the names, and true for those that are live.
    private func list(_ instance: KeywardProcess) async throws -> [String: Bool] {
        let answer = try await instance.send(
            .GET, instance.control + "/admin/api/v1/instances", key: instance.adminKey)
        #expect(answer.status == 200, "\(answer.text)")
        let objects = try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [[String: Any]] ?? []
        return Dictionary(
            objects.compactMap { object in
                (object["name"] as? String).map { ($0, object["live"] as? Bool ?? false) }
            }, uniquingKeysWith: { $0 || $1 })
    }

    @Test("instances see each other; a killed one is gone after 10 s, and one that is stopped at once")
    func lives() async throws {
        let database = try await TestDatabase.create()
        func start(_ name: String) async throws -> KeywardProcess {
            try await KeywardProcess.start(
                database: database.connectionString, arguments: ["--instance-name", name])
        }
        let first = try await start("gw 1")
        let (second, third) = (try await start("gw-2"), try await start("gw-3"))
        try await eventually("three live instances") {
            try await list(first) == ["gw 1": true, "gw-2": true, "gw-3": true]
        }
        try await eventually("the metric") { try await first.metric("keyward_instances") == 3 }
        #expect(try await first.metric("keyward_heartbeat_failures_total") ?? 0 == 0)

        #expect(try await third.stop() == 0)
        #expect(try await list(first) == ["gw 1": true, "gw-2": true])

        await second.crash()
        let killed = ContinuousClock.now
        try await eventually("the end of the live time") { try await list(first)["gw-2"] == false }
        #expect(ContinuousClock.now - killed > .seconds(4))
        try await eventually("the metric") { try await first.metric("keyward_instances") == 1 }

        let environment = ["KEYWARD_CONTROL_URL": first.control, "KEYWARD_ADMIN_KEY": first.adminKey]
        let table = try await KeywardProcess.run(["instances"], environment: environment)
        let lines = table.output.split(separator: "\n")
        #expect(table.status == 0 && lines.count == 3, "\(table)")
        #expect(lines.first?.hasPrefix("NAME") == true && lines.last?.hasPrefix("gw-2") == true)
        #expect(lines.dropFirst().first?.contains(/^gw 1\s+live\s+serve\s+\S+\s+[\d.]+s\s+0\s/) == true, "\(table)")
        let named = try await KeywardProcess.run(["instances", "list", "--json"], environment: environment)
        let objects = try JSONSerialization.jsonObject(with: Data(named.output.utf8)) as? [[String: Any]] ?? []
        #expect(objects.compactMap { $0["name"] as? String } == ["gw 1", "gw-2"], "\(named)")
        #expect((objects.first?["figures"] as? [String: Any])?["keys"] as? Int == 0)
        #expect(try await first.stop() == 0)
        let rows = try await Psql.run("SELECT name FROM instances", on: database.connectionString)
        #expect(rows == "gw-2")
        try await database.drop()
    }

    @Test("without a name, an instance is called after its host and the port of its gateway")
    func defaultName() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let port = try #require(instance.gateway.split(separator: ":").last)
        try await eventually("the instance") {
            try await list(instance).keys.first?.hasSuffix(":\(port)") == true
        }
        #expect(instance.logText.contains(":\(port)\""), "\(instance.logText)")
        _ = try await instance.stop()
        let refused = try await KeywardProcess.run(
            ["serve", "--instance-name", String(repeating: "x", count: 65)],
            environment: ["KEYWARD_DATABASE_URL": database.connectionString])
        #expect(refused.status == 1 && refused.error.contains("--instance-name"), "\(refused)")
        try await database.drop()
    }

    @Test("an instance that has no right to the table serves, and says so once")
    func withoutRight() async throws {
        let server = try await TestServer.start()
        let theirs = try await server.admit(role: "keyward_run")
        let owner = try await KeywardProcess.start(database: server.connectionString)
        let key = try await owner.create()
        let grants = try await KeywardProcess.run(
            ["migrate", "grants", "keyward_run", "--apply"],
            environment: ["KEYWARD_DATABASE_URL": server.connectionString])
        #expect(grants.status == 0, "\(grants)")
        try await Psql.run("REVOKE ALL ON instances FROM keyward_run", on: server.connectionString)
        let instance = try await KeywardProcess.start(database: theirs)
        #expect(try await instance.call(key.value).status == 200)
        func lines() -> Int { instance.logText.components(separatedBy: "heartbeat of this instance cannot").count - 1 }
        try await eventually("two attempts") {
            try await instance.metric("keyward_heartbeat_failures_total") ?? 0 >= 2
        }
        let ready = try await instance.ready()
        #expect(lines() == 1 && ready.object["status"] as? String == "ready", "\(ready.text)")
        let answer = try await instance.send(
            .GET, instance.control + "/admin/api/v1/instances", key: instance.adminKey)
        #expect(answer.status == 503)
        #expect(try await list(owner).count == 1)
        try await Psql.run(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON instances TO keyward_run", on: server.connectionString)
        try await eventually("both instances") { try await list(owner).count == 2 }
        _ = try await instance.stop()
        _ = try await owner.stop()
        await server.destroy()
    }
}
