import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Commands", .timeLimit(.minutes(6)))
struct CommandTests {
    @Test("keys creates, lists, shows and deactivates, with text and JSON output")
    func keys() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        func keyward(_ arguments: String...) async throws -> (status: Int32, output: String, error: String) {
            try await KeywardProcess.run(["keys"] + arguments, environment: environment)
        }
        let created = try await keyward(
            "create", "--name", "é build", "--owner", "team", "--scope", "a", "--scope", "b", "--json")
        #expect(created.status == 0)
        let key = try #require(try JSONSerialization.jsonObject(with: Data(created.output.utf8)) as? [String: Any])
        let (id, value) = (try #require(key["id"] as? String), try #require(key["value"] as? String))
        let used = try await instance.call(value).status
        #expect(used == 200)

        let human = try await keyward("create", "--name", "second")
        #expect(human.output.contains("shown this once"))
        let listed = try await keyward("list")
        #expect(listed.output.contains("é build") && listed.output.contains("second") && listed.output.hasPrefix("ID"))
        #expect(!listed.output.contains(value) && listed.error == "2 keys")
        let part = try await keyward("list", "--limit", "1", "--sort", "name")
        #expect(part.output.contains("second") && part.error == "1 of 2 keys; --all lists them")
        let descending = try await keyward("list", "--sort", "-name", "--limit", "1")
        #expect(descending.output.contains("é build") && !descending.output.contains("second"))
        let found = try await keyward("list", "--scope", "b", "--prefix", "kw", "--last-four", String(value.suffix(4)))
        #expect(found.output.contains("é build") && found.error == "1 key")
        let wrongSort = try await keyward("list", "--sort", "id")
        #expect(
            wrongSort.status == 4 && wrongSort.error.contains("sort must be one of created, name, expires, last_used"))
        let machine = try await keyward("list", "--json", "--owner", "team")
        let keys = try #require(try JSONSerialization.jsonObject(with: Data(machine.output.utf8)) as? [[String: Any]])
        #expect(keys.map { $0["id"] as? String } == [id])
        let paged = try await keyward("list", "--json", "--limit", "1", "--all")
        #expect((try JSONSerialization.jsonObject(with: Data(paged.output.utf8)) as? [Any])?.count == 2)
        let shown = try await keyward("show", id)
        #expect(shown.output.contains("active") && shown.output.contains("team"))

        let gone = try await keyward("deactivate", id)
        #expect(gone.status == 0)
        let refused = try await instance.call(value).status
        #expect(refused == 401)
        let unknown = try await keyward("show", "0190163d-8694-739b-8b6e-c1e1b9f4a2d3")
        #expect(unknown.status == 3 && unknown.error.contains("auth key not found: 0190163d"))
        let empty = try await keyward("create", "--name", " ")
        #expect(empty.status == 4 && empty.error.contains("name is required"))
        let wrong = try await KeywardProcess.run(
            ["keys", "list"],
            environment: [
                "KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": String(repeating: "x", count: 40),
            ])
        #expect(wrong.status == 4 && wrong.error.contains("admin key"))
        _ = try await instance.stop()
        let away = try await keyward("list")
        #expect(away.status == 5 && away.error.contains("cannot be reached: Connection refused"))
        try await database.drop()
    }

    @Test("keys updates, rotates and deletes, and the gateway follows each change")
    func changes() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        func keyward(_ arguments: String...) async throws -> (status: Int32, output: String, error: String) {
            try await KeywardProcess.run(["keys"] + arguments, environment: environment)
        }
        func object(_ text: String) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }
        let key = try object(
            try await keyward("create", "--name", "n", "--label", "env=prod", "--metadata", #"{"a":1}"#, "--json")
                .output)
        let (id, old) = (try #require(key["id"] as? String), try #require(key["value"] as? String))
        #expect(key["labels"] as? [String: String] == ["env": "prod"])
        #expect(try await keyward("usage", id).output == "not used yet")
        let limited = try object(
            try await keyward("create", "--name", "m", "--allow-method", "get", "--json").output)
        #expect(limited["allowed_methods"] as? [String] == ["GET"])
        #expect(try await instance.call(try #require(limited["value"] as? String)).status == 200)

        let paused = try await keyward("update", id, "--disable-key", "--owner", "me", "--clear-label", "env")
        #expect(paused.status == 0 && paused.output.contains("disabled") && paused.output.contains("me"), "\(paused)")
        #expect(try await instance.call(old).status == 401)
        let resumed = try object(try await keyward("update", id, "--enable-key", "--if-version", "2", "--json").output)
        #expect(resumed["version"] as? Int == 3 && resumed["labels"] == nil)
        #expect(try await instance.call(old).status == 200)
        let stale = try await keyward("update", id, "--name", "x", "--if-version", "2")
        #expect(stale.status == 4 && stale.error.contains("changed meanwhile"))
        #expect(try await keyward("update", id).status == 1)

        let rotated = try object(try await keyward("rotate", id, "--grace-seconds", "600", "--json").output)
        let new = try #require(rotated["value"] as? String)
        for secret in [old, new] { #expect(try await instance.call(secret).status == 200) }
        let shown = try await keyward("show", id)
        #expect(shown.output.contains("old secret"))
        #expect(try await keyward("rotate", id, "--end-grace").status == 0)
        #expect(try await instance.call(old).status == 401)
        #expect(try await instance.call(new).status == 200)

        #expect(try await keyward("delete", id).error.contains("deactivate it first"))
        _ = try await keyward("deactivate", id)
        #expect(try await keyward("delete", id).status == 0)
        #expect(try await instance.call(new).status == 401)
        #expect(try await keyward("show", id).status == 3)
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("migrate shows its status, has a dry run, and applies each migration once")
    func migrate() async throws {
        let database = try await TestDatabase.create()
        let environment = ["KEYWARD_DATABASE_URL": database.connectionString]
        func migrate(_ arguments: String...) async throws -> String {
            let result = try await KeywardProcess.run(["migrate"] + arguments, environment: environment)
            #expect(result.status == 0, "\(result.error)")
            return result.output
        }
        let pending = try await migrate("status")
        #expect(pending.contains("pending  1  keyward"))
        let dry = try await migrate("up", "--dry-run")
        #expect(dry.contains("CREATE TABLE auth_keys"))
        let still = try await migrate("status")
        #expect(still == pending)
        let up = try await migrate("up")
        #expect(up.contains("applied  1  keyward"))
        let again = try await migrate("up")
        #expect(again == "nothing to do")
        let applied = try await migrate("status")
        #expect(applied.contains("applied  1  keyward"))
        try await database.drop()
    }

    @Test("openapi prints the document of this version")
    func openAPI() async throws {
        let printed = try await KeywardProcess.run(["openapi"])
        #expect(printed.status == 0)
        let document = try #require(
            try JSONSerialization.jsonObject(with: Data(printed.output.utf8)) as? [String: Any])
        let version = try await KeywardProcess.run(["--version"]).output
        #expect(version.wholeMatch(of: /\d+\.\d+\.\d+( \([0-9a-f]{7,40}(-dirty)?\))?/) != nil, "\(version)")
        let information = document["info"] as? [String: Any]
        #expect(information?["version"] as? String == version.components(separatedBy: " ").first)
    }

    @Test("doctor prints a line for each check, and fails if a check fails")
    func doctor() async throws {
        let database = try await TestDatabase.create()
        let environment = [
            "KEYWARD_DATABASE_URL": database.connectionString, "KEYWARD_ADMIN_KEY": String(repeating: "k", count: 32),
        ]
        let ports = ["--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"]
        let well = try await KeywardProcess.run(["doctor"] + ports, environment: environment)
        #expect(well.status == 0, "\(well.output)")
        for check in ["settings", "database", "clock", "migrations", "gateway port", "control port"] {
            #expect(well.output.contains("ok    \(check)"), "\(well.output)")
        }
        _ = try await KeywardProcess.run(["migrate", "up"], environment: environment)
        try await Psql.run(
            """
            INSERT INTO instances (id, name, version, kind, started, seen)
            VALUES (gen_random_uuid(), 'gw-old', '0.0.1', 'serve', now(), now() + interval '5 s')
            """, on: database.connectionString)
        let mixed = try await KeywardProcess.run(["doctor"] + ports, environment: environment)
        let warning = "warn  instances: gw-old runs version 0.0.1"
        #expect(mixed.status == 0 && mixed.output.contains(warning), "\(mixed.output)")
        try await Psql.run("GRANT CREATE ON SCHEMA public TO PUBLIC", on: database.connectionString)
        let open = try await KeywardProcess.run(["doctor"] + ports, environment: environment)
        #expect(open.status == 1 && open.output.contains("FAIL  schema"), "\(open.output)")
        try await Psql.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", on: database.connectionString)
        let alone = try await KeywardProcess.run(
            ["doctor", "--data-dir", try TestFolder.make("doctor")] + ports, environment: [:])
        #expect(alone.status == 0, "\(alone.output)")
        let folder = try TestFolder.make("doctor")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data("short".utf8).write(to: URL(filePath: folder + "/admin-key"))
        let short = try await KeywardProcess.run(["doctor", "--data-dir", folder] + ports, environment: [:])
        #expect(short.status == 1 && short.output.contains("FAIL  admin key"), "\(short.output)")
        let impossible = try await KeywardProcess.run(
            ["doctor", "--data-dir", "/dev/null/x"] + ports, environment: [:])
        #expect(impossible.status == 1 && impossible.output.contains("FAIL  database"), "\(impossible.output)")
        for check in ["database", "clock", "migrations"] { #expect(alone.output.contains("ok    \(check)")) }
        let instance = try await KeywardProcess.start(database: database.connectionString)
        for (upstream, says) in [
            (instance.control, "ok    upstream: \(instance.control) accepts connections"),
            (
                "http://127.0.0.1:1",
                "FAIL  upstream: http://127.0.0.1:1 does not accept connections: Connection refused"
            ),
            (instance.control.replacing("http:", with: "https:"), "FAIL  upstream: https:"),
        ] {
            let tried = try await KeywardProcess.run(
                ["doctor", "--upstream", upstream] + ports, environment: environment)
            #expect(tried.output.contains(says) && tried.status == (says.hasPrefix("ok") ? 0 : 1), "\(tried.output)")
        }
        for (arguments, says) in [
            (
                [],
                "ok    request log: 0 MB in 4 partitions, about 0 lines and 0 MB a day; lines are deleted after 7 days"
            ),
            (["--request-log", "off"], "ok    request log: KEYWARD_REQUEST_LOG turns it off"),
        ] {
            let printed = try await KeywardProcess.run(["doctor"] + arguments + ports, environment: environment)
            #expect(printed.output.contains(says) && printed.status == 0, "\(printed.output)")
        }
        let files = try await KeywardProcess.run(
            ["doctor", "--gateway-certificate-file", "/none.pem", "--gateway-key-file", "/none.pem"] + ports,
            environment: environment)
        #expect(files.status == 1 && files.output.contains("FAIL  certificate: /none.pem"), "\(files.output)")
        let address = try #require(instance.gateway.split(separator: "/").last)
        let taken = try await KeywardProcess.run(
            ["doctor", "--gateway", String(address), "--control", "127.0.0.1:0"], environment: environment)
        #expect(taken.status == 1 && taken.output.contains("FAIL  gateway port"))
        _ = try await instance.stop()
        let ill = try await KeywardProcess.run(
            ["doctor"] + ports,
            environment: [
                "KEYWARD_DATABASE_URL": "host=127.0.0.1 port=1", "KEYWARD_ADMIN_KEY": String(repeating: "k", count: 32),
            ])
        #expect(ill.status == 1 && ill.output.contains("FAIL  database"))
        try await database.drop()
    }
}
