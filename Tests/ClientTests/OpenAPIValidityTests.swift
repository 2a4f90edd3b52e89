import Foundation
import HTTPCredentials
import NIOHTTP1
import TestSupport
import Testing

/// Checks the document and a running Keyward with generic OpenAPI tools.
@Suite("OpenAPI document checked by tools", .timeLimit(.minutes(10)))
struct OpenAPIValidityTests {
    private static let scripts = TestTool.repository.appending(path: "Tests/ClientTests/Python")

    private static func withKeyward(_ act: (KeywardProcess, TestDatabase) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        // The tools send many invalid admin keys.
        let keyward = try await KeywardProcess.start(
            database: database.connectionString, environment: ["KEYWARD_FAILED_ATTEMPTS": "off"], logLevel: "error")
        do {
            try await act(keyward, database)
        } catch {
            await keyward.crash()
            throw error
        }
        _ = try await keyward.stop()
        try await database.drop()
    }

    @Test("openapi-spec-validator finds it valid")
    func valid() async throws {
        let document = try await KeywardProcess.run(["openapi"])
        let folder = try TestFolder.make("openapi")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, text, status) in [
            ("good.json", document.output, Int32(0)),
            ("bad.json", document.output.replacing("\"operationId\"", with: "\"operationID\": 1, \"responses\""), 1),
        ] {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            let verdict = try await TestTool.run("openapi-spec-validator", ["\(folder)/\(name)"])
            #expect(verdict.status == status, "\(name): \(verdict.output) \(verdict.error)")
        }
    }

    @Test("openapi-python-client generates every operation, and its client manages a key")
    func generatedClient() async throws {
        let folder = try TestFolder.make("generated")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let document = try await KeywardProcess.run(["openapi"]).output
        try document.write(toFile: folder + "/openapi.json", atomically: true, encoding: .utf8)
        // The generator does not support JSON Lines, so such bodies are bytes.
        try "content_type_overrides: {application/x-ndjson: application/octet-stream}\npost_hooks: []\n"
            .write(toFile: folder + "/settings.yml", atomically: true, encoding: .utf8)
        let generated = try await TestTool.run(
            "openapi-python-client",
            [
                "generate", "--path", "openapi.json", "--config", "settings.yml", "--meta", "none", "--output-path",
                "keyward_client",
            ], environment: ["HOME": folder], folder: folder)
        #expect(
            generated.status == 0 && !generated.output.contains("Warning"), "\(generated.output) \(generated.error)")
        let modules =
            FileManager.default.enumerator(atPath: folder + "/keyward_client/api")?
            .compactMap { $0 as? String }.filter { $0.hasSuffix(".py") && !$0.hasSuffix("__init__.py") } ?? []
        #expect(modules.count == document.matches(of: /"operationId"/).count && modules.count > 40, "\(modules)")

        try await Self.withKeyward { keyward, _ in
            let result = try await TestTool.run(
                "python", [Self.scripts.appending(path: "generated_client.py").path],
                environment: [
                    "CLIENT": folder, "KEYWARD_CONTROL_URL": keyward.control, "KEYWARD_ADMIN_KEY": keyward.adminKey,
                ])
            #expect(result.status == 0 && result.output == "passed", "\(result.output) \(result.error)")
        }
    }

    @Test("schemathesis finds no deviation of a running Keyward from the document")
    func schemathesis() async throws {
        try await Self.withKeyward { keyward, _ in
            let key = try await keyward.create("of the judge", #","scopes":["*"]"#)
            let folder = try TestFolder.make("schemathesis")
            // Schemathesis writes files into its working folder, and loads its hooks from there.
            try FileManager.default.copyItem(atPath: Self.scripts.path, toPath: folder)
            let verdict = try await TestTool.run(
                "schemathesis",
                [
                    "run", keyward.control + "/openapi.json", "--checks", "all", "--no-color",
                ],
                environment: ["ADMIN_KEY": keyward.adminKey, "KEY": key.value, "HOME": folder], folder: folder)
            #expect(verdict.status == 0, "\(verdict.output.suffix(8_000))\n\(verdict.error.suffix(2_000))")
            #expect(verdict.output.contains("Tested: "), "\(verdict.output.suffix(2_000))")
            #expect(!keyward.logText.contains("request failed"), "\(keyward.logText.suffix(2_000))")
        }
    }

    @Test("each command on the reference page works as shown")
    func commands() async throws {
        try await Self.withKeyward { keyward, database in
            let page = try await keyward.send(.GET, keyward.control + "/docs", key: nil).text
            let commands = page.matches(of: /<pre>(curl[^<]*)<\/pre>/).map { Self.plain(String($0.1)) }
            #expect(commands.count > 25)
            let folder = try TestFolder.make("reference")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try #"{"name":"brought","token":"legacy-4f1b2c9e7a60d853","prefix":"legacy"}"#
                .write(toFile: folder + "/keys.ndjson", atomically: true, encoding: .utf8)
            let (shell, curl) = (try #require(TestTool.installed("sh")), try #require(TestTool.installed("curl")))
            // A tail has no end.
            for command in commands where !command.contains("/requests/tail") {
                let id =
                    if command.contains("/admin-keys/") {
                        try await Self.adminKey(keyward)
                    } else if command.contains("/requests/") {
                        try await Self.request(in: database)
                    } else {
                        // The shell makes {name} the name of a limit, or of a plan.
                        try await keyward.create(
                            "of a command",
                            #","limits":[{"name":"name","limit":5,"per":"1m"}],"credits":{"remaining":5}"#
                        ).id
                    }
                if command.hasPrefix("curl \""), command.contains("/plans/{name}") {
                    let plan = try await keyward.send(
                        .PUT, keyward.control + "/admin/api/v1/plans/name", key: keyward.adminKey,
                        body: #"{"limits":[{"name":"minute","limit":5,"per":"1m"}]}"#)
                    #expect(plan.status == 201, "\(plan.text)")
                }
                if command.contains("-X DELETE"), !command.contains("previous-secret") {
                    _ = try await keyward.admin(.POST, "/\(id)/deactivate")
                }
                let key = try await keyward.create("caller").value
                // Unkey's API has keys and their ids in bodies.
                let command = command.replacing("0190163d-8694-739b-8b6e-c1e1b9f4a2d3", with: id)
                    .replacing("sk_live_0NsWkZx1vVt9Qe6uYcJm2rTgLhPbDfAa3iKo", with: key)
                let process = ChildProcess(
                    shell, ["-c", command.replacing(/^curl/, with: "\(curl) -s -o answer -w '%{http_code}'")],
                    environment: [
                        "KEYWARD_CONTROL_URL": keyward.control, "KEYWARD_ADMIN_KEY": keyward.adminKey,
                        "KEYWARD_KEY": key, "ID": id,
                    ], folder: folder)
                _ = try await process.waitForExit()
                let answer = try? String(contentsOfFile: folder + "/answer", encoding: .utf8)
                #expect(
                    process.output.text.hasPrefix("20"),
                    "\(command): \(process.output.text) \(process.log.text) \(answer?.prefix(300) ?? "")")
            }
        }
    }

    /// Adds a line to the request log, and returns the id of the request.
    private static func request(in database: TestDatabase) async throws -> String {
        var source = RequestIDSource()
        let id = source.next().description
        try await Psql.run(RequestLogRows.partition, RequestLogRows.insert(id), on: database.connectionString)
        return id
    }

    private static func adminKey(_ keyward: KeywardProcess) async throws -> String {
        let made = try await keyward.send(
            .POST, keyward.control + "/admin/api/v1/admin-keys", key: keyward.adminKey,
            body: #"{"name":"of a command","permissions":["keys:read"]}"#)
        return try #require(made.object["id"] as? String)
    }

    /// Returns the text of an HTML fragment without its elements.
    private static func plain(_ html: String) -> String {
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")].reduce(html) { text, entity in
            text.replacing(entity.0, with: entity.1)
        }
    }
}
