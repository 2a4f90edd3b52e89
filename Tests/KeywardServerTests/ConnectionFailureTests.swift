import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Connection to the control listener", .timeLimit(.minutes(6)))
struct ConnectionFailureTests {
    private static let secret = "admin-key-that-must-not-leave-0123456789abcdef"

    private static func run(
        _ arguments: [String], _ url: String
    ) async throws -> (status: Int32, output: String, error: String) {
        try await KeywardProcess.run(
            arguments, environment: ["KEYWARD_CONTROL_URL": url, "KEYWARD_ADMIN_KEY": secret])
    }

    private static let commands = [
        ["keys", "list"], ["keys", "create", "--name", "n"], ["keys", "export"], ["keys", "import", "/dev/null"],
        ["keys", "deactivate", "x"], ["keys", "delete", "x"], ["keys", "rotate", "x"], ["keys", "usage", "x"],
        ["admin-keys", "list"], ["audit", "list"], ["audit", "export"], ["audit", "verify"], ["instances"],
        ["instances", "resync"], ["requests", "list"], ["requests", "show", "x"], ["requests", "export"],
        ["requests", "tail"],
    ]

    @Test("no command sends the admin key to a server that is not a control listener")
    func otherServer() async throws {
        let bodies = [
            ScriptedServer.response("200 OK", #"{"status":"alive"}"#), ScriptedServer.response("200 OK", "ok"),
            ScriptedServer.response("404 Not Found", "{}"),
            ScriptedServer.response("302 Found", "", fields: "Location: http://127.0.0.1:1/healthz\r\n"),
            ScriptedServer.response("200 OK", #"{"service":"another","status":"alive"}"#), "SSH-2.0-OpenSSH_9.2\r\n",
            nil,
        ]
        for body in bodies {
            let server = try ScriptedServer { _ in body }
            for command in body == bodies.first ? Self.commands : [["keys", "list"]] {
                let result = try await Self.run(command, "http://127.0.0.1:\(server.port)")
                #expect(result.status == 5 && result.output.isEmpty, "\(command): \(result)")
                #expect(result.error.contains("127.0.0.1:\(server.port)") && !result.error.contains("\n"), "\(result)")
            }
            #expect(!server.requests.isEmpty)
            for request in server.requests {
                #expect(request.hasPrefix("GET /healthz ") && !request.contains(Self.secret), "\(request)")
                #expect(!request.lowercased().contains("authorization"), "\(request)")
            }
            server.close()
        }
    }

    @Test("the gateway is recognized, and the admin key does not reach its upstream")
    func gateway() async throws {
        let database = try await TestDatabase.create()
        let upstream = try ScriptedServer { _ in ScriptedServer.response("200 OK", "{}") }
        let instance = try await KeywardProcess.start(
            database: database.connectionString, upstream: "http://127.0.0.1:\(upstream.port)")
        let result = try await Self.run(["keys", "list"], instance.gateway)
        #expect(result.status == 5 && result.error.contains("is not a control listener of Keyward: it is a gateway"))
        #expect(upstream.requests.isEmpty && !instance.logText.contains(Self.secret))
        _ = try await instance.stop()
        upstream.close()
        try await database.drop()
    }

    @Test(
        "the error names the cause",
        arguments: [
            ("http://127.0.0.1:1", "Connection refused"), ("http://keyward.invalid:9090", "the host name is not known"),
        ])
    func causes(_ url: String, _ cause: String) async throws {
        let start = ContinuousClock.now
        let result = try await Self.run(["keys", "list"], url)
        #expect(result.status == 5, "\(result)")
        #expect(result.error == "keyward: the control listener at \(url) cannot be reached: \(cause)")
        #expect(.now - start < .seconds(20))
    }

    @Test("a TLS failure is named")
    func tls() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let plain = try await Self.run(["keys", "list"], instance.control.replacing("http:", with: "https:"))
        #expect(plain.status == 5 && plain.error.contains("the server does not use TLS"), "\(plain)")
        _ = try await instance.stop()

        let folder = try TestFolder.make("tls")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let openssl = try #require(TestTool.installed("openssl"))
        let made = ChildProcess(
            openssl,
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1", "-keyout",
                "key.pem", "-out", "chain.pem",
            ], folder: folder)
        #expect(try await made.waitForExit() == 0, "\(made.log.text)")
        let script = """
            import socket, ssl, threading
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain("chain.pem", "key.pem")
            server = socket.create_server(("127.0.0.1", 0))
            print(server.getsockname()[1], flush=True)
            def serve(connection):
                try: context.wrap_socket(connection, server_side=True).recv(1)
                except OSError: pass
                connection.close()
            while True:
                threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
            """
        let secure = ChildProcess("/usr/bin/env", ["python3", "-c", script], folder: folder)
        #expect(await eventually { !secure.output.all.isEmpty })
        let port = secure.output.text
        let untrusted = try await Self.run(["keys", "list"], "https://127.0.0.1:\(port)")
        #expect(untrusted.status == 5 && untrusted.error.contains("not of a trusted authority"), "\(untrusted)")
        let unencrypted = try await Self.run(["keys", "list"], "http://127.0.0.1:\(port)")
        #expect(unencrypted.status == 5 && unencrypted.error.contains("127.0.0.1:\(port)"), "\(unencrypted)")
        try await secure.stop()
        try await database.drop()
    }

    @Test(
        "a URL with a password, a query or no host is refused and not shown",
        arguments: [
            "http://user:s3cret-password@127.0.0.1:9090", "http://127.0.0.1:9090/?key=s3cret-password", "http://",
            "ftp://127.0.0.1", "127.0.0.1:9090",
        ])
    func badURLs(_ url: String) async throws {
        let result = try await Self.run(["keys", "list"], url)
        #expect(result.status == 1 && result.error.contains("KEYWARD_CONTROL_URL") && !result.error.contains("s3cret"))
    }

    @Test("verify, health and status report their result by their exit status")
    func commands() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        let key = try await instance.create("ci", #","scopes":["documents:*"],"owner":"team""#)
        let folder = try TestFolder.make("verify")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = folder + "/key"
        try (key.value + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        func keyward(_ arguments: String...) async throws -> (status: Int32, output: String, error: String) {
            try await KeywardProcess.run(arguments, environment: environment)
        }
        let valid = try await keyward(
            "verify", "--key-file", file, "--scope", "documents:read", "--method", "GET", "--path", "/")
        #expect(valid.status == 0 && valid.output.contains("VALID") && valid.output.contains("team"), "\(valid)")
        let lacking = try await keyward("verify", "--key-file", file, "--scope", "other", "--json")
        #expect(lacking.status == 6 && lacking.output.contains("SCOPE_MISSING"), "\(lacking)")
        #expect(!(valid.output + lacking.output).contains(key.value))
        let none = try await keyward("verify")
        #expect(none.status == 1 && none.error.contains("standard input holds no key"), "\(none)")
        let piped = ChildProcess(
            try #require(TestTool.installed("sh")), ["-c", #""$0" verify < "$1""#, KeywardProcess.executable, file],
            environment: environment)
        #expect(try await piped.waitForExit() == 0, "\(piped.log.text)")
        let refused = try await KeywardProcess.run(
            ["verify", "--key-file", file],
            environment: ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": Self.secret])
        #expect(refused.status == 4, "\(refused)")

        for command in [["health"], ["health", "--live"], ["status"]] {
            // Without an admin key.
            let result = try await KeywardProcess.run(command, environment: ["KEYWARD_CONTROL_URL": instance.control])
            #expect(result.status == 0 && result.error.isEmpty, "\(command): \(result)")
            #expect(result.output.contains(command.contains("--live") ? "alive" : "ready"))
        }
        let status = try await keyward("status")
        #expect(
            status.output.contains(/version +\d+\.\d+\.\d+/) && status.output.contains(/keys in memory +1\n/),
            "\(status)")
        let address = String(instance.control.dropFirst("http://".count))
        let derived = try await KeywardProcess.run(
            ["health"], environment: ["KEYWARD_CONTROL_ADDRESS": address.replacing("127.0.0.1", with: "0.0.0.0")])
        #expect(derived.status == 0, "\(derived)")
        _ = try await instance.stop()
        #expect(try await keyward("health").status == 1)
        #expect(try await keyward("status").status == 5)
        #expect(try await keyward("verify", "--key-file", file).status == 5)
        try await database.drop()
    }
}
