import Glibc
import TestSupport
import Testing

@testable import EmbeddedPostgres

@Suite("Start and stop", .serialized, .timeLimit(.minutes(10)))
struct LifecycleTests {
    @Test("the server has the database and role keyward, and keeps its data over a restart")
    func keepsData() async throws {
        let configuration = configuration(try TestFolder.make("life"))
        try await withServer(configuration) { server in
            #expect(server.connectionString.hasPrefix("host='\(configuration.directory)/socket' "))
            #expect(
                try await Psql.run("SELECT current_user, current_database()", on: server.connectionString)
                    == "keyward|keyward")
            try await Psql.run("CREATE TABLE kept AS SELECT 42 AS n", on: server.connectionString)
        }
        try await withServer(configuration) { server in
            let answer = try await Psql.run("SELECT n FROM kept", on: server.connectionString)
            #expect(answer == "42")
        }
    }

    @Test("checksums, UTF-8 and durability are the defaults")
    func defaults() async throws {
        let plain = EmbeddedPostgresConfiguration(directory: try TestFolder.make("plain"))
        try await withServer(plain) { server in
            let shown = try await Psql.run(
                "SHOW data_checksums", "SHOW server_encoding", "SHOW fsync", "SHOW full_page_writes",
                "SHOW synchronous_commit", "SHOW max_connections", on: server.connectionString)
            #expect(shown == "on\nUTF8\non\non\non\n100")
        }
    }

    @Test("a start removes libpq's variables from the process's environment")
    func environment() async throws {
        let directory = try TestFolder.make("environment")
        await #expect(processExitsWith: .success) { [directory = directory as String] in
            for name in ["PGHOSTADDR", "PGSERVICE", "PGOPTIONS", "PGTZ", "PGDATA"] { setenv(name, "elsewhere", 1) }
            setenv("KEYWARD_PG", "kept", 1)
            try await withServer(configuration(directory)) { server in
                for name in ["PGHOSTADDR", "PGSERVICE", "PGOPTIONS", "PGTZ", "PGDATA"] { #expect(getenv(name) == nil) }
                #expect(getenv("KEYWARD_PG") != nil)
                let answer = try await Psql.run("SELECT 1", on: server.connectionString)
                #expect(answer == "1")
            }
        }
    }

    @Test("concurrent and repeated stops succeed, and leave no process and no lock")
    func stopIsIdempotent() async throws {
        let configuration = configuration(try TestFolder.make("stop"))
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        #expect(server.processes.running.contains { $0.id == server.processID })
        await withTaskGroup { group in
            for _ in 0..<4 { group.addTask { await server.stop() } }
        }
        await server.stop()
        #expect(server.processes.running.isEmpty)
        #expect(await server.waitForExit() == .exited(code: 0))
        #expect(throws: Never.self) { try DirectoryLock(folder: configuration.directory).release() }
    }

    @Test("a stop kills processes that do not respond")
    func stopsFrozen() async throws {
        let configuration = configuration(try TestFolder.make("frozen"), limit: .milliseconds(500))
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        for process in server.processes.running { process.send(SIGSTOP) }
        await server.stop()
        #expect(server.processes.running.isEmpty)
        #expect(await server.waitForExit() == .signaled(signal: SIGKILL))
    }

    @Test("a killed server is reported, and the next start recovers committed data")
    func recovers() async throws {
        let configuration = configuration(try TestFolder.make("killed"))
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        try await Psql.run("CREATE TABLE kept AS SELECT 42 AS n", on: server.connectionString)
        async let exit = server.waitForExit()
        kill(server.processID, SIGKILL)
        #expect(await exit == .signaled(signal: SIGKILL))
        await server.stop()
        try await withServer(configuration) { server in
            let answer = try await Psql.run("SELECT n FROM kept", on: server.connectionString)
            #expect(answer == "42")
        }
    }

    @Test("a cancelled task stops waiting for the exit")
    func waitIsCancellable() async throws {
        try await withServer(configuration(try TestFolder.make("wait"))) { server in
            let waiting = Task { await server.waitForExit() }
            waiting.cancel()
            #expect(await waiting.value == nil)
        }
    }

    @Test("a log that is too large is rotated")
    func boundsLog() async throws {
        let configuration = configuration(try TestFolder.make("log"))
        let log = configuration.directory + "/postgres.log"
        try await withServer(configuration) { _ in }
        try #require(truncate(log, ServerLog.largest + 1) == 0)
        try await withServer(configuration) { _ in }
        #expect(Files.status(log + ".1").map { Int($0.st_size) } == ServerLog.largest + 1)
        #expect((Files.status(log).map { Int($0.st_size) } ?? .max) < ServerLog.largest)
    }

    @Test("the log contains no statement and no value")
    func logHoldsNoSecrets() async throws {
        let configuration = configuration(try TestFolder.make("quiet"))
        try await withServer(configuration) { server in
            try await Psql.run("CREATE TABLE t (c text PRIMARY KEY)", on: server.connectionString)
            await #expect(throws: TestSupportError.self) {
                try await Psql.run(
                    "INSERT INTO t VALUES ('canary'), ('canary')", on: server.connectionString)
            }
        }
        let log = try Files.read(configuration.directory + "/postgres.log", limit: 1 << 20)
        #expect(log.contains("duplicate key"))
        #expect(!log.contains("canary"))
    }
}
