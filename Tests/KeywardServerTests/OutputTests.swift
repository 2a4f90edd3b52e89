import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Standard output failures", .timeLimit(.minutes(6)))
struct OutputTests {
    /// A standard output that cannot be written.
    enum Output: String, CaseIterable {
        case full, brokenPipe, closed

        /// Runs `keyward` with this standard output.
        var script: String {
            switch self {
            case .full: #"exec "$0" "$@" > /dev/full"#
            case .brokenPipe:
                // The only reader of the pipe closes it before the command starts.
                #"mkfifo pipe; exec 3<>pipe 4>pipe 3>&-; rm pipe; exec "$0" "$@" >&4 4>&-"#
            case .closed: #"exec "$0" "$@" >&-"#
            }
        }
    }

    private static func run(
        _ arguments: [String], to output: Output, environment: [String: String] = [:]
    ) async throws -> (status: Int32, error: String) {
        let folder = try TestFolder.make("output")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let shell = try #require(TestTool.installed("sh"))
        let process = ChildProcess(
            shell, ["-c", output.script, KeywardProcess.executable] + arguments, environment: environment,
            folder: folder)
        let status = try await process.waitForExit()
        #expect(process.output.all.isEmpty)
        return (status, process.log.text)
    }

    @Test(
        "commands that need no server exit with 1 and one line, or end silently if the reader is gone",
        arguments: Output.allCases)
    func alone(_ output: Output) async throws {
        let folder = try TestFolder.make("none")
        for arguments in [
            ["openapi"], ["completions", "bash"], ["--version"], ["--help"], ["keys", "create", "--help"],
            ["doctor", "--data-dir", folder, "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"],
        ] {
            let result = try await Self.run(arguments, to: output)
            if output == .brokenPipe {
                #expect(result.status == 141 && result.error.isEmpty, "\(arguments): \(result)")
                continue
            }
            #expect(result.status == 1, "\(arguments): \(result)")
            #expect(
                result.error.hasPrefix("keyward: standard output cannot be written: ")
                    && !result.error.contains("\n"), "\(arguments): \(result)")
        }
    }

    @Test("migrate exits with 1", arguments: [["status"], ["up", "--dry-run"], ["grants", "role"]])
    func migrate(_ arguments: [String]) async throws {
        let database = try await TestDatabase.create()
        let environment = ["KEYWARD_DATABASE_URL": database.connectionString, "KEYWARD_LOG_LEVEL": "error"]
        let result = try await Self.run(["migrate"] + arguments, to: .full, environment: environment)
        #expect(result.status == 1 && result.error.contains("standard output cannot be written"), "\(result)")
        try await database.drop()
    }

    @Test("a server that cannot print its addresses ends, and reports the reason", arguments: Output.allCases)
    func serve(_ output: Output) async throws {
        let database = try await TestDatabase.create()
        let result = try await Self.run(
            ["serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"], to: output,
            environment: [
                "KEYWARD_DATABASE_URL": database.connectionString, "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey,
                "KEYWARD_LOG_LEVEL": "error",
            ])
        #expect(result.status == 1 && result.error.contains("standard output cannot be written"), "\(result)")
        try await database.drop()
    }

    @Test("a lost secret exits with 1, and the error names the key and the remedy")
    func lostSecrets() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        func expectFailure(_ arguments: [String], _ output: Output, _ parts: String...) async throws {
            let result = try await Self.run(arguments, to: output, environment: environment)
            #expect(result.status == 1, "\(arguments): \(result)")
            // A deactivation first warns that the key was used.
            let lines = result.error.split(separator: "\n").filter { !$0.hasPrefix("Warning: ") }
            #expect(lines.count == 1 && !result.error.contains("kw_") && !result.error.contains("kwa_"), "\(result)")
            for part in ["standard output cannot be written"] + parts {
                #expect(result.error.contains(part), "\(arguments): \(result)")
            }
        }
        for output in Output.allCases {
            for format in [[], ["--json"]] {
                let name = "\(output) \(format)"
                try await expectFailure(
                    ["keys", "create", "--name", name] + format, output, "lost", "keyward keys rotate ")
            }
        }
        let listed = try await instance.admin(.GET)
        let keys = try #require(try JSONSerialization.jsonObject(with: Data(listed.text.utf8)) as? [[String: Any]])
        let id = try #require(keys.first?["id"] as? String)
        #expect(keys.count == 6)
        for format in [[], ["--json"]] {
            try await expectFailure(["keys", "rotate", id] + format, .full, "lost", "keyward keys rotate \(id)")
            try await expectFailure(
                ["admin-keys", "create", "--name", "n", "--permission", "verify"] + format, .full, "lost",
                "keyward admin-keys deactivate ")
        }
        // The remedy that the message names.
        let rescued = try await KeywardProcess.run(["keys", "rotate", id, "--json"], environment: environment)
        let value = (try JSONSerialization.jsonObject(with: Data(rescued.output.utf8)) as? [String: Any])?["value"]
        #expect(try await instance.call(try #require(value as? String)).status == 200)

        for arguments in [
            ["keys", "list"], ["keys", "list", "--json"], ["keys", "show", id], ["keys", "usage", id],
            ["keys", "explain", id], ["keys", "update", id, "--name", "m"], ["keys", "rotate", id, "--end-grace"],
            ["keys", "export"], ["admin-keys", "list"], ["audit", "list"], ["audit", "verify"], ["audit", "export"],
            ["requests", "list"],
            ["keys", "deactivate", id, "--yes"], ["keys", "delete", id],
        ] {
            try await expectFailure(arguments, .full)
        }
        let file = try await Self.run(
            ["keys", "export", "--output", "/dev/full"], to: .closed, environment: environment)
        #expect(file.status == 1 && file.error.contains("/dev/full cannot be written"), "\(file)")
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("a list ends silently if its reader is gone")
    func readerGone() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        // More than the capacity of a pipe.
        let text = String(repeating: "d", count: 400)
        let lines = (0..<600).map {
            #"{"name":"\#($0)","token":"t_\#($0)-4f1b2c9e7a60d853","prefix":"t_","description":"\#(text)"}"#
        }
        let imported = try await instance.admin(.POST, "/import", body: lines.joined(separator: "\n"))
        #expect(imported.status == 200, "\(imported.text.prefix(300))")
        let shell = try #require(TestTool.installed("bash"))
        for command in ["keys export", "keys list --all", "keys list --all --json", "audit export"] {
            let process = ChildProcess(
                shell,
                [
                    "-c", #""$0" \#(command) | head -c 40; status="${PIPESTATUS[0]}"; echo; echo "$status""#,
                    KeywardProcess.executable,
                ],
                environment: ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey])
            #expect(try await process.waitForExit() == 0)
            let lines = process.output.all
            #expect(lines.count == 2 && process.log.text.isEmpty, "\(command): \(lines.last ?? "") \(process.log.text)")
            // A trail of one event fits into the pipe.
            #expect(["141", "0"].contains(lines.last), "\(command)")
            if command.hasPrefix("keys") { #expect(lines.last == "141", "\(command)") }
        }
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("a slow non-blocking pipe gets all output")
    func nonBlocking() async throws {
        let folder = try TestFolder.make("output")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let script = """
            import os, subprocess, sys
            read, write = os.pipe()
            os.set_blocking(write, False)
            child = subprocess.Popen([sys.argv[1], "openapi"], stdout=write)
            os.close(write)
            total = 0
            while data := os.read(read, 512):
                total += len(data)
            print(total, child.wait())
            """
        let process = ChildProcess(
            "/usr/bin/env", ["python3", "-c", script, KeywardProcess.executable], folder: folder)
        #expect(try await process.waitForExit() == 0, "\(process.log.text)")
        let whole = try await KeywardProcess.run(["openapi"])
        #expect(process.output.text == "\(whole.output.utf8.count + 1) 0", "\(process.output.text)")
    }
}
