import Glibc
import NIOHTTP1
import TestSupport
import Testing

@Suite("Shutdown", .timeLimit(.minutes(5)))
struct ShutdownTests {
    @Test(
        "a shutdown with connected clients logs no warning, on either kind of database", arguments: [SIGTERM, SIGINT])
    func quiet(_ signal: Int32) async throws {
        let database = try await TestDatabase.create()
        let folder = try TestFolder.make("quiet")
        for instance in [
            try await KeywardProcess.start(database: database.connectionString, logLevel: "debug"),
            try await KeywardProcess.start(dataDirectory: folder, logLevel: "debug"),
        ] {
            let key = try await instance.create("n")
            // The client keeps its connections open.
            #expect(try await instance.call(key.value).status == 200)
            #expect(try await instance.admin(.GET, "/\(key.id)").status == 200)
            // Before the signal, a loaded machine may cause warnings.
            let earlier = instance.logText.utf8.count
            kill(instance.processID, signal)
            #expect(try await instance.waitForExit() == 0)
            let logged = String(decoding: instance.logText.utf8.dropFirst(earlier), as: UTF8.self)
            for line in logged.split(separator: "\n") {
                #expect(!line.contains(/"level":"(warning|error|critical)"/), "\(line)")
            }
            #expect(instance.logText.contains("stopped"))
        }
        try await database.drop()
    }

    @Test("statements that shutdown cancels are not logged as failures of the database")
    func statementsUnderWay() async throws {
        let database = try await TestDatabase.create()
        let url = database.connectionString
        let instance = try await KeywardProcess.start(database: url)
        _ = try await instance.create()
        let lock = Task {
            try await Psql.run(
                "BEGIN; LOCK TABLE audit_seals, admin_keys, auth_keys IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)",
                on: url)
        }
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        let areWaiting = try await eventually { try await Psql.run(waiting, on: url) == "3" }
        #expect(areWaiting)
        #expect(try await instance.stop() == 0)
        for line in instance.logText.split(separator: "\n") {
            #expect(!line.contains("cancelled") || !line.contains(/"level":"(warning|error|critical)"/), "\(line)")
        }
        try await Psql.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%' AND pid <> pg_backend_pid()",
            on: url)
        _ = try? await lock.value
        try await database.drop()
    }

    @Test("an incomplete request on the control listener delays shutdown by at most the drain timeout")
    func halfRequest() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--drain-timeout", "2s"])
        var connections: [RawConnection] = []
        for path in ["/v1/verify", "/admin/api/v1/auth-keys", "/v1/introspect", "/admin/api/v1/auth-keys/import"] {
            let head = "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n"
            for key in ["", "Authorization: Bearer \(KeywardProcess.adminKey)\r\n"] {
                let connection = try RawConnection(to: instance.control)
                #expect(connection.send(head + key + "\r\n{"))
                connections.append(connection)
            }
        }
        // After the response to a later request, all of them are in flight.
        _ = try await instance.ready()
        let start = ContinuousClock.now
        let watchdog = Task {
            try await Task.sleep(for: .seconds(20))
            await instance.crash()
        }
        let status = try await instance.stop()
        watchdog.cancel()
        let took = ContinuousClock.now - start
        #expect(status == 0 && took < .seconds(6), "\(status) \(took)")
        for connection in connections { #expect(connection.isClosed) }
    }
}
