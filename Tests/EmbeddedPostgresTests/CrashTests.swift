import Glibc
import Subprocess
import SystemPackage
import TestSupport
import Testing

@testable import EmbeddedPostgres

@Suite("Takeover and cleanup after a crash", .serialized, .timeLimit(.minutes(10)))
struct CrashTests {
    @Test("the next owner takes over the running server with its data, and stops it")
    func takesOver() async throws {
        let directory = try TestFolder.make("takeover")
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
            let server = try await EmbeddedPostgres.start(configuration(directory), logger: silent)
            try await Psql.run("CREATE TABLE kept AS SELECT 42 AS n", on: server.connectionString)
            kill(getpid(), SIGKILL)
        }
        let left = try #require(ClusterProcesses(cluster: directory + "/cluster"))
        let postmaster = try #require(PostmasterFile.read(cluster: directory + "/cluster")?.processID)
        #expect(left.running.contains { $0.id == postmaster }, "the server must still run after the crash")
        let server = try await EmbeddedPostgres.start(configuration(directory), logger: silent)
        #expect(server.processID == postmaster)
        #expect(try await Psql.run("SELECT n FROM kept", on: server.connectionString) == "42")
        async let exit = server.waitForExit()
        await server.stop()
        #expect(await exit == .unknown)
        #expect(left.running.isEmpty)
    }

    @Test("a start fails while the previous server hangs, and takes it over once it responds")
    func stuckServer() async throws {
        let configuration = configuration(try TestFolder.make("stuck"), limit: .seconds(1))
        try await abandon(configuration)
        let processes = try #require(ClusterProcesses(cluster: configuration.directory + "/cluster"))
        for process in processes.running { process.send(SIGSTOP) }
        #expect(await eventually { processes.running.allSatisfy { $0.isStopped } })
        let error = await refusal(configuration)
        #expect(error?.code == .serverStuck)
        #expect(error?.description.contains(configuration.directory) == true)
        for process in processes.running { process.send(SIGCONT) }
        try await withServer(Self.withDefaultLimits(configuration)) { server in
            let answer = try await Psql.run("SELECT 1", on: server.connectionString)
            #expect(answer == "1")
        }
    }

    @Test("a start waits for the shutdown of the previous server, up to a limit, and starts a new one")
    func stoppingServer() async throws {
        let configuration = configuration(try TestFolder.make("stopping"), limit: .seconds(1))
        let former = try await abandon(configuration)
        let client = Task { try await Psql.run("SELECT pg_sleep(600)", on: former.connectionString) }
        var backend = ""
        #expect(
            try await eventually {
                backend = try await Psql.run(
                    "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'", on: former.connectionString)
                return !backend.isEmpty
            })
        let backendID = try #require(Int32(backend))
        // A smart shutdown waits for its clients.
        kill(former.processID, SIGTERM)
        #expect(
            await eventually {
                PostmasterFile.read(cluster: configuration.directory + "/cluster")?.status == .stopping
            })
        #expect(await refusal(configuration)?.code == .serverStuck)
        async let next = withServer(Self.withDefaultLimits(configuration)) { server in
            #expect(server.processID != former.processID)
            let answer = try await Psql.run("SELECT 1", on: server.connectionString)
            #expect(answer == "1")
        }
        kill(backendID, SIGTERM)
        try await next
        await #expect(throws: TestSupportError.self) { try await client.value }
    }

    @Test("a start succeeds if postmaster.pid contains the id of an unrelated process of the same user")
    func recycledNumber() async throws {
        let configuration = configuration(try TestFolder.make("recycled"))
        let cluster = configuration.directory + "/cluster"
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        let file = try Files.read(cluster + "/postmaster.pid", limit: 4096)
        await server.stop()
        let account = try ServerAccount(cluster: cluster)
        let switching = ["setpriv", "--reuid=\(account.user)", "--regid=\(account.group)", "--clear-groups"]
        _ = try await Subprocess.run(
            .name("env"), arguments: Arguments((account.isSwitched ? switching : []) + ["sleep", "600"]),
            workingDirectory: "/", input: .none, output: .discarded, error: .discarded
        ) { sleeper in
            let rest = file.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
            let stale = ([Substring("\(sleeper.processIdentifier.value)")] + rest).joined(separator: "\n")
            try Files.replace(cluster + "/postmaster.pid", with: stale, mode: 0o600)
            chown(cluster + "/postmaster.pid", account.user, account.group)
            try await withServer(configuration) { server in
                #expect(server.processID != sleeper.processIdentifier.value)
                let answer = try await Psql.run("SELECT 1", on: server.connectionString)
                #expect(answer == "1")
            }
            try sleeper.send(signal: .kill)
        }
    }

    @Test("a start succeeds if the postmaster is a zombie that its parent has not reaped")
    func zombie() async throws {
        let configuration = configuration(try TestFolder.make("zombie"))
        let cluster = configuration.directory + "/cluster"
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        let file = try Files.read(cluster + "/postmaster.pid", limit: 4096)
        await server.stop()
        let account = try ServerAccount(cluster: cluster)
        // A child of this process that is not reaped before the start.
        let arguments =
            account.isSwitched
            ? ["setpriv", "--reuid=\(account.user)", "--regid=\(account.group)", "--clear-groups", "true"] : ["true"]
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var child: pid_t = 0
        try #require(posix_spawnp(&child, arguments[0], nil, nil, &pointers, nil) == 0)
        defer { waitpid(child, nil, 0) }
        #expect(try await eventually { try Files.read("/proc/\(child)/stat", limit: 4096).contains(") Z ") })
        let rest = file.split(separator: "\n", omittingEmptySubsequences: false).dropFirst()
        let stale = ([Substring("\(child)")] + rest).joined(separator: "\n")
        try Files.replace(cluster + "/postmaster.pid", with: stale, mode: 0o600)
        chown(cluster + "/postmaster.pid", account.user, account.group)
        try await withServer(configuration) { server in
            let answer = try await Psql.run("SELECT 1", on: server.connectionString)
            #expect(answer == "1")
        }
    }

    @Test("a start immediately after the postmaster was killed succeeds", arguments: 1...3)
    func justKilled(round: Int) async throws {
        let configuration = configuration(try TestFolder.make("moment"))
        let former = try await abandon(configuration)
        kill(former.processID, SIGKILL)
        try await withServer(configuration) { server in
            #expect(server.processID != former.processID)
            let answer = try await Psql.run("SELECT 1", on: server.connectionString)
            #expect(answer == "1")
        }
    }

    @Test("stopped backends of a dead postmaster are killed before the next start")
    func orphans() async throws {
        let configuration = configuration(try TestFolder.make("orphans"), limit: .milliseconds(500))
        let former = try await abandon(configuration)
        let processes = try #require(ClusterProcesses(cluster: configuration.directory + "/cluster"))
        let backends = processes.running.filter { $0.id != former.processID }
        for process in backends { process.send(SIGSTOP) }
        #expect(await eventually { backends.allSatisfy { $0.isStopped } })
        kill(former.processID, SIGKILL)
        #expect(await eventually { !processes.running.contains { $0.id == former.processID } })
        #expect(!processes.running.isEmpty, "the orphans must still exist")
        try await withServer(Self.withDefaultLimits(configuration)) { server in
            let answer = try await Psql.run("SELECT 1", on: server.connectionString)
            #expect(answer == "1")
        }
    }

    @Test("the next start cleans up after an owner that was killed during initdb")
    func killedInitialization() async throws {
        let directory = try TestFolder.make("initdb")
        await #expect(processExitsWith: .signal(SIGKILL)) { [directory = directory as String] in
            let start = Task { try await EmbeddedPostgres.start(configuration(directory), logger: silent) }
            #expect(await eventually { unfinished(in: directory).contains { exists($0 + "/PG_VERSION") } })
            kill(getpid(), SIGKILL)
            _ = try await start.value
        }
        #expect(!exists(directory + "/cluster"))
        #expect(!unfinished(in: directory).isEmpty)
        try await withServer(configuration(directory)) { server in
            let answer = try await Psql.run("SELECT current_database()", on: server.connectionString)
            #expect(answer == "keyward")
        }
        #expect(unfinished(in: directory).isEmpty)
    }

    @Test("a start that is cancelled during initdb leaves no files and no processes")
    func cancelledInitialization() async throws {
        let directory = try TestFolder.make("cancel")
        let start = Task { await refusal(configuration(directory)) }
        #expect(await eventually { unfinished(in: directory).contains { exists($0 + "/PG_VERSION") } })
        start.cancel()
        #expect(await start.value?.code == .cancelled)
        #expect(!exists(directory + "/cluster"))
        #expect(unfinished(in: directory).isEmpty)
        try await withServer(configuration(directory)) { _ in }
    }

    @Test("a start that is cancelled while the server starts up stops the server")
    func cancelledLaunch() async throws {
        let directory = try TestFolder.make("launch")
        try await withServer(configuration(directory)) { _ in }
        let processes = try #require(ClusterProcesses(cluster: directory + "/cluster"))
        let start = Task { await refusal(configuration(directory)) }
        #expect(await eventually { !processes.running.isEmpty })
        start.cancel()
        // The server may have become ready first; it is stopped in either case.
        let error = await start.value
        #expect(error == nil || error?.code == .cancelled)
        #expect(processes.running.isEmpty)
    }

    /// Starts a server and releases its owner. As after a crash, the lock is released and the server keeps running.
    @discardableResult
    private func abandon(
        _ configuration: EmbeddedPostgresConfiguration
    ) async throws -> (processID: Int32, connectionString: String) {
        let server = try await EmbeddedPostgres.start(configuration, logger: silent)
        return (server.processID, server.connectionString)
    }

    /// Returns a configuration of the same folder with the default limits.
    private static func withDefaultLimits(_ configuration: EmbeddedPostgresConfiguration)
        -> EmbeddedPostgresConfiguration
    {
        EmbeddedPostgresConfiguration(directory: configuration.directory, settings: configuration.settings)
    }
}

/// Returns the unfinished clusters.
private func unfinished(in directory: String) -> [String] {
    Files.names(in: directory).filter { $0.hasPrefix(DataFolder.unfinishedPrefix) }.map { "\(directory)/\($0)" }
}
