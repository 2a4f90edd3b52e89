import Foundation
import NIOHTTP1
import TestSupport
import Testing

@testable import KeywardServer

@Suite("Terminal output", .timeLimit(.minutes(6)))
struct TerminalTests {
    /// Runs `keyward` with a terminal of this many columns as its standard output.
    private static func run(
        _ arguments: [String], columns: Int, environment: [String: String]
    ) async throws -> (lines: [String], error: String) {
        let script = """
            import fcntl, os, pty, struct, subprocess, sys, termios
            leader, follower = pty.openpty()
            fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
            child = subprocess.Popen(sys.argv[2:], stdout=follower)
            os.close(follower)
            try:
                while data := os.read(leader, 65536): sys.stdout.buffer.write(data)
            except OSError: pass
            sys.exit(child.wait())
            """
        let process = ChildProcess(
            "/usr/bin/env", ["python3", "-c", script, String(columns), KeywardProcess.executable] + arguments,
            environment: environment)
        let status = try await process.waitForExit()
        #expect(status == 0, "\(process.log.text)")
        return (process.output.all.map { $0.trimmingCharacters(in: ["\r"]) }, process.log.text)
    }

    @Test("tables fit the terminal, and --wide or a pipe shows all columns in full")
    func tables() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        let name = "日本語の鍵 " + String(repeating: "n", count: 180)
        let owner = String(repeating: "o", count: 60) + "/" + String(repeating: "o", count: 40)
        let key = try await instance.create(name, #","owner":"\#(owner)""#)
        let made = try await instance.send(
            .POST, instance.control + "/admin/api/v1/admin-keys", key: instance.adminKey,
            body: #"{"name":"\#(name)","permissions":["keys:read","keys:write","keys:rotate","audit:read"]}"#)
        #expect(made.status == 201)
        for command in [["keys", "list"], ["admin-keys", "list"], ["audit", "list"]] {
            for columns in [80, 100, 132, 200] {
                let shown = try await Self.run(command, columns: columns, environment: environment)
                for line in shown.lines { #expect(DisplayWidth.of(line) <= columns, "\(command) \(columns): \(line)") }
                #expect(shown.error.contains("--wide") == (columns < 132), "\(command) \(columns): \(shown)")
            }
            let wide = try await Self.run(command + ["--wide"], columns: 80, environment: environment)
            let piped = try await KeywardProcess.run(command, environment: environment)
            #expect(wide.lines == piped.output.split(separator: "\n").map(String.init))
            #expect(piped.output.contains(name) && !piped.output.contains("…"), "\(piped.output)")
            // Times are shown without fractions of a second.
            #expect(!piped.output.contains(/\d\d:\d\d:\d\d\./), "\(piped.output)")
        }
        let details = try await KeywardProcess.run(["keys", "show", key.id], environment: environment)
        #expect(!details.output.contains(/\d\d:\d\d:\d\d\./) && details.output.contains(name))
        let sorted = try await Self.run(
            ["keys", "list", "--sort", "last_used"], columns: 100, environment: environment)
        #expect(sorted.lines.first?.contains("LAST USED") == true, "\(sorted)")
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("a JSON list reports further pages on standard error")
    func more() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        for _ in 0..<3 { _ = try await instance.create() }
        for command in [["keys", "list", "--json"], ["audit", "list", "--json"]] {
            let part = try await KeywardProcess.run(command + ["--limit", "2"], environment: environment)
            #expect(part.status == 0 && part.error == "There are more: --all lists them.", "\(part)")
            let all = try await KeywardProcess.run(command + ["--limit", "2", "--all"], environment: environment)
            #expect(all.error.isEmpty && all.status == 0, "\(all)")
            let whole = try await KeywardProcess.run(command, environment: environment)
            #expect(whole.error.isEmpty, "\(whole)")
        }
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test(
        "the error about an unknown command suggests the nearest one",
        arguments: [
            (["key", "list"], "'keyward' has no command 'key': did you mean 'keyward keys'?"),
            (["keys", "lst"], "'keyward keys' has no command 'lst': did you mean 'keyward keys list'?"),
            (["keys", "revoke", "x"], "did you mean 'keyward keys deactivate'?"),
            (["admin-key", "list"], "did you mean 'keyward admin-keys'?"),
            (["migrate", "stats"], "did you mean 'keyward migrate status'?"),
            (["completion", "bash"], "did you mean 'keyward completions'?"),
            (["zzz"], "'keyward' has no command 'zzz'\n"),
        ])
    func unknownCommand(_ arguments: [String], _ message: String) async throws {
        let result = try await KeywardProcess.run(arguments)
        #expect(result.status == 2 && result.error.contains(message), "\(result.error)")
        #expect(result.error.contains(" --help'"))
    }

    @Test("the error about an unknown option suggests the nearest option, and no command")
    func unknownOption() async throws {
        let result = try await KeywardProcess.run(["keys", "list", "--ownr", "x"])
        #expect(result.status == 2 && result.error.contains("--owner") && !result.error.contains("no command"))
    }

    @Test("help shows a command's own options before shared ones")
    func help() async throws {
        for (command, own) in [
            (["keys", "create"], "--name"), (["keys", "list"], "--sort"), (["keys", "rotate"], "--grace"),
            (["keys", "update"], "--clear"), (["keys", "export"], "--output"), (["keys", "import"], "--dry-run"),
            (["keys", "explain"], "--method"), (["keys", "usage"], "--days"), (["keys", "deactivate"], "--yes"),
            (["admin-keys", "create"], "--permission"), (["admin-keys", "update"], "--permission"),
            (["audit", "list"], "--since"), (["audit", "verify"], "--expect"), (["audit", "export"], "--since"),
            (["requests", "list"], "--since"), (["requests", "tail"], "--status"), (["requests", "export"], "--until"),
            (["instances", "resync"], "--accept-database"), (["verify"], "--method"), (["health"], "--live"),
            (["migrate", "up"], "--dry-run"), (["migrate", "grants"], "--apply"),
        ] {
            let text = try await KeywardProcess.run(command + ["--help"]).output
            let options = try #require(text.range(of: "OPTIONS:").map { text[$0.upperBound...] }, "\(command)")
            let first = try #require(options.range(of: "  \(own)"), "\(command)")
            let connection = try #require(
                options.range(of: command[0] == "migrate" ? "  --config" : "  --control-url"), "\(command)")
            #expect(first.lowerBound < connection.lowerBound, "\(command)")
        }
    }

    @Test(
        "an invalid duration is refused with the name of the option",
        arguments: [
            ["keys", "create", "--name", "n", "--expires-in", "90"],
            ["keys", "create", "--name", "n", "--expires-in", "0"],
            ["keys", "create", "--name", "n", "--expires-in", "-1d"],
            ["keys", "create", "--name", "n", "--expires-in", ""],
            ["keys", "create", "--name", "n", "--expires-in", "1d", "--expires-at", "2100-01-01T00:00:00Z"],
            ["keys", "update", "x", "--expires-in", "1d", "--clear", "expires_at"],
            ["admin-keys", "create", "--name", "n", "--permission", "verify", "--expires-in", "1y"],
            ["admin-keys", "update", "x", "--expires-in", "1d", "--clear", "expires_at"],
            ["keys", "rotate", "x", "--grace", "1500ms"], ["keys", "rotate", "x", "--grace", "long"],
            ["audit", "list", "--since", ""], ["health", "--timeout", "0"],
        ])
    func badDurations(_ arguments: [String]) async throws {
        let result = try await KeywardProcess.run(arguments)
        #expect(result.status == 2 && result.output.isEmpty, "\(arguments): \(result)")
        #expect(result.error.contains("--expires-") || result.error.contains(arguments[arguments.count - 2]))
    }

    @Test("--expires-in, --grace and --since are relative to now")
    func durations() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        func keyward(_ arguments: String...) async throws -> [String: Any] {
            let result = try await KeywardProcess.run(arguments + ["--json"], environment: environment)
            #expect(result.status == 0, "\(arguments): \(result.error)")
            return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }
        func lifetime(_ member: Any?) throws -> Double {
            let text = try #require(member as? String)
            return try Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
                .timeIntervalSinceNow / 3_600
        }
        let key = try await keyward("keys", "create", "--name", "n", "--expires-in", "90d")
        #expect(try abs(lifetime(key["expires_at"]) - 90 * 24) < 0.1)
        let id = try #require(key["id"] as? String)
        let changed = try await keyward("keys", "update", id, "--expires-in", "12h")
        #expect(try abs(lifetime(changed["expires_at"]) - 12) < 0.1)
        for (grace, hours) in [("--grace=1h", 1.0), ("--grace-seconds=7200", 2), ("--grace=2d", 48)] {
            let rotated = try await keyward("keys", "rotate", id, grace)
            // The old secret expires no later than the key.
            let previous = try #require(rotated["previous_secret"] as? [String: Any])
            #expect(try abs(lifetime(previous["expires_at"]) - min(hours, 12)) < 0.1 || hours == 48)
        }
        let admin = try await keyward(
            "admin-keys", "create", "--name", "n", "--permission", "verify", "--expires-in", "30m")
        #expect(try abs(lifetime(admin["expires_at"]) - 0.5) < 0.1)
        let listed = try await KeywardProcess.run(
            ["audit", "list", "--since", "1h", "--json"], environment: environment)
        let events = try JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [Any]
        #expect(events?.count == 6, "\(listed)")
        // It may be meant as everything.
        let empty = try await KeywardProcess.run(["audit", "list", "--since", "0", "--json"], environment: environment)
        #expect(empty.status == 4 && empty.output.isEmpty && empty.error.contains("since must be"), "\(empty)")
        _ = try await instance.stop()
        try await database.drop()
    }
}
