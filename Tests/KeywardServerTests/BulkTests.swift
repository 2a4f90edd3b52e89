import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Import and export", .timeLimit(.minutes(6)))
struct BulkTests {
    private func keyward(
        _ instance: KeywardProcess, _ arguments: String...
    ) async throws -> (status: Int32, output: String, error: String) {
        try await KeywardProcess.run(
            ["keys"] + arguments,
            environment: ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey])
    }

    private func folder() throws -> String {
        let path = try TestFolder.make("import")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    private func write(_ text: String, _ name: String, in folder: String) throws -> String {
        let path = folder + "/" + name
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Returns the statement for the origin system's table from docs/import.md.
    private func documentedStatement() throws -> String {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/import.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        return String(try #require(text.firstMatch(of: /```sql\n(SELECT json_[^`]+)```/)).1)
    }

    @Test("keys of the origin system are imported, and their tokens stay valid on every instance")
    func importFromOrigin() async throws {
        let (origin, database) = (try await TestDatabase.create(), try await TestDatabase.create())
        let folder = try folder()
        let first = try await KeywardProcess.start(database: database.connectionString)
        let second = try await KeywardProcess.start(database: database.connectionString)
        func token(_ name: String) -> String { "sk_gom_\(name)-f7a5e0c2b94d4f1a8c3e6d2b" }
        let before = try await first.call(token("live"))
        #expect(before.status == 401 && before.code == "key_malformed")

        try await Psql.run(
            """
            CREATE TABLE auth_keys (id uuid PRIMARY KEY, name text NOT NULL, description text, token_hash text NOT NULL,
                redacted_value text NOT NULL, enabled boolean NOT NULL, expires_at bigint, deactivated_at bigint,
                created_at bigint NOT NULL, updated_at bigint NOT NULL)
            """, on: origin.connectionString)
        for (name, enabled, expiresAt, deactivatedAt) in [
            ("live", true, "4102444800", "NULL"), ("paused", false, "NULL", "NULL"),
            ("over", true, "1700000000", "NULL"),
            ("ended", true, "NULL", "1710000000"),
        ] {
            try await Psql.run(
                """
                INSERT INTO auth_keys SELECT gen_random_uuid(), '\(name)', E'two\\n"lines" \\\\', \
                encode(sha256(convert_to(substr('\(token(name))', 8), 'UTF8')), 'hex'), 'sk_gom_...6d2b', \
                \(enabled), \(expiresAt), \(deactivatedAt), 1690000000, 1690000001
                """, on: origin.connectionString)
        }
        let lines = try await Psql.run(try documentedStatement(), on: origin.connectionString)
        let file = try write(lines, "origin.ndjson", in: folder)
        let one = try write(
            #"{"name":"n","token":"a-token-of-sixteen","prefix":""}"# + "\n{}\n", "one.ndjson", in: folder)
        let skipped = try await keyward(first, "import", one, "--dry-run", "--mode", "skip")
        #expect(skipped.output == "1 key would be imported" && skipped.error.hasSuffix("1 line failed"), "\(skipped)")
        let imported = try await keyward(first, "import", file)
        #expect(imported.status == 0 && imported.output == "4 keys imported", "\(imported)")

        let codes = ["live": nil, "paused": "key_inactive", "over": "key_expired", "ended": "key_inactive"]
        for instance in [first, second] {
            // The other instance learns of the token scheme with its next read of the database.
            let arrived = await eventually(within: .seconds(2)) {
                (try? await instance.call(token("live")).status) == 200
            }
            #expect(arrived)
            for (name, code) in codes {
                let answer = try await instance.call(token(name))
                #expect(answer.status == (code == nil ? 200 : 401) && answer.code == code, "\(name)")
            }
            let wrong = try await instance.call(token("live") + "x")
            #expect(wrong.code == "key_unknown")
        }
        let shown = try await keyward(first, "list", "--json", "-q", "live")
        let key = try #require(
            (try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [[String: Any]])?.first)
        #expect(
            key["redacted_value"] as? String == "sk_gom_...6d2b" && key["description"] as? String == "two\n\"lines\" \\"
        )
        #expect(
            key["created_at"] as? String == "2023-07-22T04:26:40Z"
                && key["expires_at"] as? String == "2100-01-01T00:00:00Z")

        let id = try #require(key["id"] as? String)
        #expect(try await Psql.run("SELECT id FROM auth_keys WHERE name = 'live'", on: origin.connectionString) == id)
        let revoked = try await first.admin(.POST, "/\(id)/deactivate").status
        #expect(revoked == 204)
        let refused = try await first.call(token("live")).code
        #expect(refused == "key_inactive")
        for instance in [first, second] { _ = try await instance.stop() }
        let restarted = try await KeywardProcess.start(database: database.connectionString)
        let after = try await restarted.call(token("paused")).code
        #expect(after == "key_inactive", "the key is known at start")
        _ = try await restarted.stop()
        for instance in [first, second, restarted] {
            #expect(!(instance.logText + instance.outputText).contains("f7a5e0c2b94d"))
        }
        try await origin.drop()
        try await database.drop()
    }

    @Test("keys import has a dry run, errors with line numbers and two modes, and keys export writes all keys")
    func commands() async throws {
        let database = try await TestDatabase.create()
        let folder = try folder()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let lines = (0..<5_000).map { #"{"name":"n\#($0)","token":"plain-secret-\#($0 + 10_000)","prefix":"plain-"}"# }
        let good = try write(lines.joined(separator: "\n"), "good", in: folder)
        let bad = try write(
            (lines.prefix(2) + [#"{"name":"","token":"plain-secret-canary","prefix":"plain-"}"#] + lines.prefix(1))
                .joined(separator: "\n"), "bad", in: folder)

        let dry = try await keyward(instance, "import", good, "--dry-run")
        #expect(dry.status == 0 && dry.output == "5000 keys would be imported" && dry.error.isEmpty, "\(dry)")
        let atomic = try await keyward(instance, "import", bad)
        #expect(atomic.status == 1 && atomic.output == "0 keys imported")
        #expect(atomic.error.contains("line 3: name is required") && atomic.error.contains("line 4: "))
        #expect(!atomic.error.contains("canary"))
        let skipped = try await keyward(instance, "import", bad, "--mode", "skip", "--json")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(skipped.output.utf8)) as? [String: Any])
        #expect(skipped.status == 1 && report["imported"] as? Int == 2 && report["failed"] as? Int == 2)
        let rest = try await keyward(instance, "import", good, "--mode", "skip")
        #expect(rest.status == 1 && rest.output == "4998 keys imported" && rest.error.contains("2 lines failed"))
        let used = try await instance.call("plain-secret-14999").status
        #expect(used == 200)
        let missing = try await keyward(instance, "import", folder + "/none")
        #expect(missing.status == 1 && missing.error.contains("cannot be read"))

        let exported = folder + "/out"
        let export = try await keyward(instance, "export", "--output", exported)
        #expect(export.status == 0 && export.output.isEmpty)
        let text = try String(contentsOfFile: exported, encoding: .utf8)
        #expect(text.split(separator: "\n").count == 5_000 && !text.contains("plain-secret"))
        let mode = try FileManager.default.attributesOfItem(atPath: exported)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let some = try await keyward(instance, "export", "-q", "n4999")
        #expect(some.output.contains(#""redacted_value":"plain-...4999""#))
        let none = try await keyward(instance, "export", "--status", "none")
        #expect(none.status == 4 && none.error.contains("status must be one of"))
        _ = try await instance.stop()
        #expect(!instance.logText.contains("plain-secret"))
        let away = try await keyward(instance, "import", good)
        #expect(away.status == 5 && away.error.contains("cannot be reached"))
        try await database.drop()
    }
}
