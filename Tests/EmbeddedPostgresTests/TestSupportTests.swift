import EmbeddedPostgres
import Glibc
import TestSupport
import Testing

@Suite("Test servers and databases", .serialized, .timeLimit(.minutes(10)))
struct TestSupportTests {
    @Test("test databases are separate, may copy a template, and can be dropped")
    func databases() async throws {
        let first = try await TestDatabase.create()
        try await Psql.run("CREATE TABLE t AS SELECT 1 AS n", on: first.connectionString)
        let copy = try await TestDatabase.create(template: first.name)
        let empty = try await TestDatabase.create()
        #expect(try await Psql.run("SELECT n FROM t", on: copy.connectionString) == "1")
        #expect(try await Psql.run("SELECT to_regclass('t') IS NULL", on: empty.connectionString) == "t")
        for database in [first, copy, empty] { try await database.drop() }
        await #expect(throws: TestSupportError.self) { try await Psql.run("SELECT 1", on: first.connectionString) }
    }

    @Test("a paused server does not respond until it is resumed")
    func pause() async throws {
        let server = try await TestServer.start()
        let processes = try #require(ClusterProcesses(cluster: server.directory + "/cluster"))
        await server.pause()
        #expect(!processes.running.isEmpty)
        #expect(processes.running.allSatisfy { $0.isStopped })
        let answer = Task { try await Psql.run("SELECT 1", on: server.connectionString) }
        server.resume()
        #expect(try await answer.value == "1")
        await server.destroy()
    }

    @Test("a server starts again on the same folder after a stop and after a crash")
    func startsAgain() async throws {
        let server = try await TestServer.start()
        let address = server.connectionString
        try await Psql.run("CREATE TABLE t AS SELECT 1 AS n", on: address)
        await server.stop()
        try await server.start()
        await server.crash()
        try await server.start()
        #expect(server.connectionString == address)
        #expect(try await Psql.run("SELECT n FROM t", on: address) == "1")
        await server.destroy()
        #expect(access(server.directory, F_OK) != 0)
    }

    @Test("the leftovers of a killed test process are removed")
    func leftovers() async throws {
        let note = try TestFolder.make("note")
        await #expect(processExitsWith: .signal(SIGKILL)) { [note = note as String] in
            let server = try await TestServer.start()
            symlink(server.directory, note)
            kill(getpid(), SIGKILL)
        }
        let directory = try #require(realpath(note, nil))
        defer { free(directory) }
        let path = String(cString: directory)
        let processes = try #require(ClusterProcesses(cluster: path + "/cluster"))
        #expect(!processes.running.isEmpty)
        TestFolder.clearLeftovers()
        #expect(processes.running.isEmpty)
        #expect(access(path, F_OK) != 0)
    }
}
