import Foundation
import TestSupport
import Testing

/// A PgBouncer in front of a test server.
private struct Pooler {
    let url: String
    let process: ChildProcess

    static var isInstalled: Bool { TestTool.installed("pgbouncer") != nil }

    static func start(mode: String, before server: TestServer) async throws -> Pooler {
        let folder = try TestFolder.make("pooler")
        let cluster = try FileManager.default.attributesOfItem(atPath: server.directory + "/cluster")
        let owner = try #require(cluster[.ownerAccountID] as? Int)
        let group = try #require(cluster[.groupOwnerAccountID] as? Int)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let host = try #require(server.connectionString.firstMatch(of: /host='([^']+)'/)).1
        try """
        [databases]
        * = host=\(host) port=5432 user=keyward
        [pgbouncer]
        unix_socket_dir = \(folder)
        listen_port = 6432
        auth_type = any
        pool_mode = \(mode)
        default_pool_size = 20
        ignore_startup_parameters = extra_float_digits,options
        """.write(toFile: folder + "/pgbouncer.ini", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes(
            [.ownerAccountID: owner, .groupOwnerAccountID: group], ofItemAtPath: folder)
        let program = try #require(TestTool.installed("pgbouncer"))
        let isSwitched = geteuid() == 0
        let process = ChildProcess(
            isSwitched ? "/usr/bin/setpriv" : program,
            (isSwitched ? ["--reuid=\(owner)", "--regid=\(group)", "--clear-groups", program] : [])
                + [folder + "/pgbouncer.ini"])
        let url = "host=\(folder) port=6432 dbname=keyward user=keyward"
        let isUp = await eventually { (try? await Psql.run("SELECT 1", on: url)) == "1" }
        guard isUp else { throw TestSupportError("pgbouncer does not start: \(process.log.text)") }
        return Pooler(url: url, process: process)
    }
}

@Suite("PgBouncer", .enabled(if: Pooler.isInstalled), .timeLimit(.minutes(6)))
struct PoolerTests {
    private static let ports = ["--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"]

    private static func environment(_ url: String, direct: String? = nil) -> [String: String] {
        var environment = [
            "KEYWARD_DATABASE_URL": url, "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey, "KEYWARD_LOG_LEVEL": "error",
        ]
        environment["KEYWARD_LISTEN_DATABASE_URL"] = direct
        return environment
    }

    @Test("a pooler without sessions is refused without a direct URL", arguments: ["transaction", "statement"])
    func withoutDirectURL(mode: String) async throws {
        let server = try await TestServer.start()
        let pooler = try await Pooler.start(mode: mode, before: server)
        let environment = Self.environment(pooler.url)
        let serve = try await KeywardProcess.run(["serve"] + Self.ports, environment: environment)
        #expect(serve.status == 1 && serve.output.isEmpty)
        let doctor = try await KeywardProcess.run(["doctor"] + Self.ports, environment: environment)
        #expect(doctor.status == 1 && doctor.output.contains("FAIL  database"), "\(doctor.output)")
        for text in [serve.error, doctor.output] {
            #expect(text.contains("pooler") && text.contains("KEYWARD_LISTEN_DATABASE_URL"), "\(text)")
        }
        let both = try await KeywardProcess.run(
            ["serve"] + Self.ports, environment: Self.environment(server.connectionString, direct: pooler.url))
        #expect(both.status == 1 && both.error.contains("(KEYWARD_LISTEN_DATABASE_URL, "), "\(both.error)")
        try await pooler.process.stop()
        await server.destroy()
    }

    @Test("a transaction pooler works with a direct URL, and a session pooler without one")
    func usable() async throws {
        let server = try await TestServer.start()
        for (mode, direct) in [("transaction", server.connectionString), ("session", nil)] {
            let pooler = try await Pooler.start(mode: mode, before: server)
            let instance = try await KeywardProcess.start(database: pooler.url, listenDatabase: direct)
            let key = try await instance.create()
            #expect(try await instance.call(key.value).status == 200)
            let doctor = try await KeywardProcess.run(
                ["doctor"] + Self.ports, environment: Self.environment(pooler.url, direct: direct))
            #expect(doctor.output.contains("ok    database"), "\(doctor.output)")
            _ = try await instance.stop()
            try await pooler.process.stop()
        }
        await server.destroy()
    }

    @Test("a statement pooler is refused despite a direct URL, as is a direct URL to another database")
    func unusable() async throws {
        let server = try await TestServer.start()
        let pooler = try await Pooler.start(mode: "statement", before: server)
        let statements = try await KeywardProcess.run(
            ["serve"] + Self.ports, environment: Self.environment(pooler.url, direct: server.connectionString))
        #expect(statements.status == 1 && statements.error.contains("pool_mode"), "\(statements.error)")
        try await Psql.run("CREATE DATABASE other", on: server.connectionString)
        let other = try await KeywardProcess.run(
            ["serve"] + Self.ports,
            environment: Self.environment(
                server.connectionString, direct: server.connectionString(database: "other")))
        #expect(other.status == 1 && other.error.contains("another database"), "\(other.error)")
        try await pooler.process.stop()
        await server.destroy()
    }
}
