import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Start", .timeLimit(.minutes(6)))
struct StartTests {
    private static let long = String(repeating: "k", count: 32)

    @Test(
        "an invalid setting is refused in one line that names the setting and the accepted values",
        arguments: [
            (
                ["KEYWARD_DATABASE_URL": "host=/tmp", "KEYWARD_ADMIN_KEY": "canary-short"], [], "KEYWARD_ADMIN_KEY",
                "at least 32 characters"
            ),
            (["KEYWARD_DATABASE_URL": "nonsense", "KEYWARD_ADMIN_KEY": long], [], "KEYWARD_DATABASE_URL", "libpq"),
            (["KEYWARD_GATEWAY_ADDRESS": "8080"], [], "KEYWARD_GATEWAY_ADDRESS", "an address and a port"),
            ([:], ["--gateway", "localhost:99999"], "KEYWARD_GATEWAY_ADDRESS", "an address and a port"),
            ([:], ["--control", ":::1"], "KEYWARD_CONTROL_ADDRESS", "an address and a port"),
            ([:], ["--upstream", "ftp://x"], "KEYWARD_UPSTREAM_URL", "http://"),
            ([:], ["--upstream", "http://user:pw@x"], "KEYWARD_UPSTREAM_URL", "http://"),
            ([:], ["--credentials", "cookie"], "KEYWARD_CREDENTIALS", "authorization, x-api-key"),
            ([:], ["--threads", "0"], "KEYWARD_THREADS", "a number"),
            ([:], ["--max-staleness", "1 hour"], "KEYWARD_MAX_STALENESS", "a duration"),
            ([:], ["--log-level", "loud"], "KEYWARD_LOG_LEVEL", "trace"),
            ([:], ["--log-format", "xml"], "KEYWARD_LOG_FORMAT", "json or text"),
            ([:], ["--admin-key-file", "/nonexistent"], "KEYWARD_ADMIN_KEY_FILE", "a file"),
            (["KEYWARD_GATEWAY_ADRESS": "x"], [], "KEYWARD_GATEWAY_ADRESS", "is not a setting"),
            ([:], ["--config", "/nonexistent.json"], "--config", "JSON"),
            (["KEYWARD_LISTEN_DATABASE_URL": "host=/tmp"], [], "KEYWARD_LISTEN_DATABASE_URL", "KEYWARD_DATABASE_URL"),
        ] as [([String: String], [String], String, String)])
    func refusals(environment: [String: String], arguments: [String], names: String, says: String) async throws {
        let result = try await KeywardProcess.run(["serve"] + arguments, environment: environment)
        #expect(result.status == 1)
        #expect(result.output.isEmpty)
        #expect(result.error.split(separator: "\n").count == 1, "\(result.error)")
        #expect(result.error.contains(names) && result.error.contains(says), "\(result.error)")
        #expect(!result.error.contains("canary") && !result.error.contains(":pw@"))
    }

    @Test("an unreachable issuer causes a warning")
    func issuer() async throws {
        let database = try await TestDatabase.create()
        for (arguments, warns) in [
            (["--control", "0.0.0.0:0"], true), (["--control", "0.0.0.0:0", "--issuer", "https://keys.test"], false),
            ([], false),
        ] {
            let instance = try await KeywardProcess.start(
                database: database.connectionString, arguments: arguments)
            let status = try await instance.stop()
            #expect(status == 0)
            #expect(instance.logText.contains("set KEYWARD_ISSUER") == warns, "\(instance.logText)")
        }
    }

    @Test("an unknown flag is a usage error")
    func usage() async throws {
        for arguments in [["serve", "--nonsense"], ["keys", "create"], ["keys", "show"]] {
            let result = try await KeywardProcess.run(arguments)
            #expect(result.status == 2 && result.error.contains("Usage:"), "\(result.status)")
        }
    }

    @Test("the variables that Kubernetes sets for a service named keyward are ignored")
    func kubernetes() async throws {
        var environment = ["KEYWARD_LOG_FORMAT": "xml"]
        for name in [
            "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR",
        ] {
            let value = name == "PORT" ? "tcp://10.0.0.1:8080" : "10.0.0.1"
            environment["KEYWARD_\(name)"] = value
            environment["KEYWARD_POSTGRES_\(name)"] = value
        }
        let result = try await KeywardProcess.run(["serve"], environment: environment)
        #expect(result.error.contains("KEYWARD_LOG_FORMAT"), "\(result.error)")
        let mistaken = try await KeywardProcess.run(["serve"], environment: ["KEYWARD_GATEWAY_PORT": "80"])
        #expect(mistaken.error.contains("KEYWARD_GATEWAY_PORT is not a setting"), "\(mistaken.error)")
    }

    @Test("flags override the environment, and the environment overrides the file")
    func precedence() async throws {
        let folder = try TestFolder.make("config")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let file = folder + "/keyward.json"
        try #"{"gateway_address":"bad-file","log_level":"info"}"#.write(toFile: file, atomically: true, encoding: .utf8)
        let fromFile = try await KeywardProcess.run(["serve", "--config", file])
        #expect(fromFile.error.contains("'bad-file'"))
        let fromEnvironment = try await KeywardProcess.run(
            ["serve", "--config", file], environment: ["KEYWARD_GATEWAY_ADDRESS": "bad-environment"])
        #expect(fromEnvironment.error.contains("'bad-environment'"))
        let fromFlag = try await KeywardProcess.run(
            ["serve", "--config", file, "--gateway", "bad-flag"],
            environment: ["KEYWARD_GATEWAY_ADDRESS": "bad-environment"])
        #expect(fromFlag.error.contains("'bad-flag'"))
        try #"{"gateway_adress":"x"}"#.write(toFile: file, atomically: true, encoding: .utf8)
        let unknown = try await KeywardProcess.run(["serve", "--config", file])
        #expect(unknown.error.contains("'gateway_adress'") && unknown.status == 1)
    }

    @Test("a start without an admin key is refused unless the database holds one")
    func noAdministrator() async throws {
        let database = try await TestDatabase.create()
        let environment = ["KEYWARD_DATABASE_URL": database.connectionString, "KEYWARD_LOG_LEVEL": "error"]
        let refused = try await KeywardProcess.run(
            ["serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"], environment: environment)
        #expect(refused.status == 1 && refused.output.isEmpty)
        #expect(refused.error.split(separator: "\n").count == 1, "\(refused.error)")
        #expect(refused.error.contains("KEYWARD_ADMIN_KEY") && refused.error.contains("at least 32 characters"))
        let doctor = try await KeywardProcess.run(
            ["doctor", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"], environment: environment)
        #expect(doctor.status == 1 && doctor.output.contains("FAIL  admin key"), "\(doctor.output)")

        let first = try await KeywardProcess.start(database: database.connectionString)
        func create(_ permission: String, _ more: String = "") async throws -> (id: String, value: String) {
            let answer = try await first.send(
                .POST, first.control + "/admin/api/v1/admin-keys", key: first.adminKey,
                body: #"{"name":"n","permissions":["\#(permission)"]\#(more)}"#)
            return (
                try #require(answer.object["id"] as? String), try #require(answer.object["value"] as? String)
            )
        }
        _ = try await create("keys:write")
        _ = try await create("admin", #","owner":"me""#)
        let still = try await KeywardProcess.run(
            ["serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"], environment: environment)
        #expect(still.status == 1 && still.error.contains("KEYWARD_ADMIN_KEY"))
        let root = try await create("admin")
        let second = try await KeywardProcess.start(database: database.connectionString, adminKey: root.value)
        let path = second.control + "/admin/api/v1/admin-keys"
        let bootstrap = try await second.send(.GET, path, key: first.adminKey)
        #expect(bootstrap.status == 401)
        #expect(try await second.send(.GET, path, key: root.value).status == 200)
        let last = try await second.send(.POST, "\(path)/\(root.id)/deactivate", key: root.value)
        #expect(last.status == 409 && last.code == "last_admin_credential")
        // The gateway does not accept admin keys.
        let gateway = try await second.call(root.value)
        #expect(gateway.status == 401 && gateway.code == "key_unknown")
        // A revocation by the other instance, which has its own admin key, takes effect at once.
        let elsewhere = try await first.send(
            .POST, first.control + "/admin/api/v1/admin-keys/\(root.id)/deactivate", key: first.adminKey)
        #expect(elsewhere.status == 204)
        #expect(try await second.send(.GET, path, key: root.value).status == 401)
        _ = try await second.stop()
        _ = try await first.stop()
        try await database.drop()
    }

    @Test("a start waits a limited time for an unreachable database, and then reports it")
    func unreachable() async throws {
        let start = ContinuousClock.now
        let result = try await KeywardProcess.run(
            ["serve", "--database-wait", "1s"],
            environment: [
                "KEYWARD_DATABASE_URL": "postgres://someone:canary@127.0.0.1:1/none", "KEYWARD_ADMIN_KEY": Self.long,
                "KEYWARD_LOG_LEVEL": "error",
            ])
        #expect(result.status == 1 && ContinuousClock.now - start < .seconds(30))
        #expect(result.error.contains("KEYWARD_DATABASE_URL") && !result.error.contains("canary"), "\(result.error)")
    }

    @Test("the error about a used port names the setting", arguments: ["gateway", "control"])
    func portInUse(listener: String) async throws {
        let database = try await TestDatabase.create()
        let first = try await KeywardProcess.start(database: database.connectionString)
        let taken = try #require((listener == "gateway" ? first.gateway : first.control).split(separator: "/").last)
        let free = listener == "gateway" ? "--control" : "--gateway"
        let second = try await KeywardProcess.run(
            ["serve", "--\(listener)", String(taken), free, "127.0.0.1:0"],
            environment: [
                "KEYWARD_DATABASE_URL": database.connectionString, "KEYWARD_ADMIN_KEY": Self.long,
                "KEYWARD_LOG_LEVEL": "critical",
            ])
        #expect(second.status == 1)
        #expect(
            second.error.contains("KEYWARD_\(listener.uppercased())_ADDRESS") && second.error.contains("in use"),
            "\(second.error)")
        _ = try await first.stop()
        try await database.drop()
    }
}
