public import EmbeddedPostgres
import Foundation
import Glibc
import Logging
import Subprocess
import Synchronization

/// A PostgreSQL of its own for one test, which may stop, pause or kill it.
public final class TestServer: Sendable {
    /// Fast and forgetful: a crash of the machine may lose everything, a crash of PostgreSQL loses nothing.
    public static let settings = [
        "fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "300",
    ]

    /// The data folder.
    public let directory: String
    /// Where to connect; the same after each start.
    public let connectionString: String

    private let configuration: EmbeddedPostgresConfiguration
    private let server: Mutex<EmbeddedPostgres>

    private init(_ configuration: EmbeddedPostgresConfiguration, _ server: EmbeddedPostgres) {
        self.configuration = configuration
        self.server = Mutex(server)
        directory = configuration.directory
        connectionString = server.connectionString
    }

    /// Starts a new, empty server; `settings` come on top of the forgetful ones.
    public static func start(settings: [String: String] = [:]) async throws -> TestServer {
        let configuration = EmbeddedPostgresConfiguration(
            directory: try TestFolder.make("server"),
            settings: Self.settings.merging(settings) { $1 }
        )
        return TestServer(configuration, try await launch(configuration))
    }

    /// Where to connect to another database of this server.
    public func connectionString(database: String) -> String { current.connectionString(database: database) }

    /// The postmaster of now.
    public var processID: Int32 { current.processID }

    /// Starts it again on the same folder, after ``stop()`` or a crash.
    public func start() async throws {
        await current.stop()
        let started = try await Self.launch(configuration)
        server.withLock { $0 = started }
    }

    /// Shuts it down in order; the data stays.
    public func stop() async {
        resume()
        await current.stop()
    }

    /// Makes a role that owns nothing and lets it in, and returns where it connects.
    public func admit(role: String) async throws -> String {
        let rules = "local all keyward peer map=keyward\nlocal all \(role) trust\n"
        try Data(rules.utf8).write(to: URL(filePath: directory + "/pg_hba.conf"))
        try await Psql.run("CREATE ROLE \(role) LOGIN", "SELECT pg_reload_conf()", on: connectionString)
        let theirs = connectionString.split(separator: " ").map { $0.hasPrefix("user=") ? "user=\(role)" : String($0) }
            .joined(separator: " ")
        _ = await eventually { (try? await Psql.run("SELECT 1", on: theirs)) != nil }
        return theirs
    }

    /// Waits until the postmaster is gone.
    public func waitForExit() async -> EmbeddedPostgresExit? { await current.waitForExit() }

    /// Stops every process of the server where it stands (SIGSTOP): it accepts nothing and answers nothing.
    public func pause() async {
        let processes = current.processes
        while true {
            // Once more: the signal takes a moment, and the postmaster may have forked before it.
            let moving = processes.running.filter { !$0.isStopped }
            if moving.isEmpty { return }
            for process in moving { process.send(SIGSTOP) }
            await Task.yield()
        }
    }

    /// Lets a paused server go on.
    public func resume() {
        for process in current.processes.running { process.send(SIGCONT) }
    }

    /// Kills the postmaster (SIGKILL), as the kernel does when memory is short, and waits until it is gone.
    public func crash() async {
        kill(current.processID, SIGKILL)
        _ = await current.waitForExit()
    }

    /// Copies the data folder of a server that is stopped, for `replaceData`.
    public func copyData() async throws -> String {
        try await checkStopped()
        let copy = try TestFolder.make("copy")
        try await Self.run("cp", ["-a", directory + "/cluster", copy])
        return copy
    }

    /// Puts a copy in the place of the data folder of a server that is stopped: its past is taken back.
    /// - Parameter promoted: whether the server begins a new timeline, as a standby does that is promoted.
    public func replaceData(with copy: String, promoted: Bool = false) async throws {
        try await checkStopped()
        try await Self.run("rm", ["-rf", directory + "/cluster"])
        try await Self.run("cp", ["-a", copy, directory + "/cluster"])
        guard promoted else { return }
        try await Self.run("cp", ["-a", directory + "/cluster/PG_VERSION", directory + "/cluster/recovery.signal"])
        let settings = "restore_command = 'false'\nrecovery_target_action = 'promote'\n"
        let file = FileHandle(forWritingAtPath: directory + "/cluster/postgresql.auto.conf")
        try file?.seekToEnd()
        try file?.write(contentsOf: Data(settings.utf8))
        try file?.close()
    }

    /// Files that a running server has open must not be exchanged.
    private func checkStopped() async throws {
        let cluster = directory + "/cluster"
        let isStopped = await eventually(within: .seconds(20)) {
            ClusterProcesses(cluster: cluster)?.running.isEmpty ?? true
        }
        guard isStopped else { throw TestSupportError("the server still runs") }
    }

    private static func run(_ program: String, _ arguments: [String]) async throws {
        let result = try await Subprocess.run(
            .name(program), arguments: Arguments(arguments), output: .discarded, error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else { throw TestSupportError(result.standardError) }
    }

    /// Ends it and removes its folder.
    public func destroy() async {
        await stop()
        try? Files.remove(directory)
    }

    private var current: EmbeddedPostgres { server.withLock { $0 } }

    private static func launch(_ configuration: EmbeddedPostgresConfiguration) async throws -> EmbeddedPostgres {
        try await EmbeddedPostgres.start(
            configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }
}
