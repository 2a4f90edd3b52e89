import EmbeddedPostgres
import Foundation
import Glibc
import Logging
import Subprocess
import Synchronization

/// A separate PostgreSQL for one test, which may stop, pause or kill it.
public final class TestServer: Sendable {
    /// Fast and not crash-safe: a crash of the machine may lose data, a crash of PostgreSQL does not.
    public static let settings = [
        "fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "300",
    ]

    /// The data directory.
    public let directory: String
    /// The connection string; it stays the same after each start.
    public let connectionString: String

    private let configuration: EmbeddedPostgresConfiguration
    private let server: Mutex<EmbeddedPostgres>
    /// The roles that were admitted.
    private let roles = Mutex<[String]>([])

    private init(_ configuration: EmbeddedPostgresConfiguration, _ server: EmbeddedPostgres) {
        self.configuration = configuration
        self.server = Mutex(server)
        directory = configuration.directory
        connectionString = server.connectionString
    }

    /// Starts a new, empty server; `settings` override the default ones.
    public static func start(settings: [String: String] = [:]) async throws -> TestServer {
        let configuration = EmbeddedPostgresConfiguration(
            directory: try TestFolder.make("server"),
            settings: Self.settings.merging(settings) { $1 }
        )
        return TestServer(configuration, try await launch(configuration))
    }

    /// Returns the connection string of another database of this server.
    public func connectionString(database: String) -> String { current.connectionString(database: database) }

    /// Starts it again on the same data, after ``stop()`` or a crash.
    public func start() async throws {
        await current.stop()
        let started = try await Self.launch(configuration)
        server.withLock { $0 = started }
    }

    /// Shuts it down gracefully; the data stays.
    public func stop() async {
        resume()
        await current.stop()
    }

    /// Creates a role without privileges, allows it to connect, and returns its connection string.
    public func admit(role: String) async throws -> String {
        let roles = roles.withLock { roles in
            roles.append(role)
            return roles
        }
        let rules = "local all keyward peer map=keyward\n" + roles.map { "local all \($0) trust\n" }.joined()
        try Data(rules.utf8).write(to: URL(filePath: directory + "/pg_hba.conf"))
        try await Psql.run("CREATE ROLE \(role) LOGIN", "SELECT pg_reload_conf()", on: connectionString)
        let theirs = connectionString.split(separator: " ").map { $0.hasPrefix("user=") ? "user=\(role)" : String($0) }
            .joined(separator: " ")
        _ = await eventually { (try? await Psql.run("SELECT 1", on: theirs)) != nil }
        return theirs
    }

    /// Suspends every process of the server (SIGSTOP): it accepts no connection and sends nothing.
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

    /// Resumes a paused server.
    public func resume() {
        for process in current.processes.running { process.send(SIGCONT) }
    }

    /// Kills the postmaster (SIGKILL), as the kernel does when memory is short, and waits for its exit.
    public func crash() async {
        kill(current.processID, SIGKILL)
        _ = await current.waitForExit()
    }

    /// Copies the data directory of a stopped server, for `replaceData`.
    public func copyData() async throws -> String {
        try await checkStopped()
        let copy = try TestFolder.make("copy")
        try await Self.run("cp", ["-a", directory + "/cluster", copy])
        return copy
    }

    /// Replaces the data directory of a stopped server by a copy, which undoes later commits.
    /// - Parameter promoted: whether the server begins a new timeline, like a promoted standby.
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

    /// Throws if the server runs, since its open files must not be replaced.
    private func checkStopped() async throws {
        let cluster = directory + "/cluster"
        let isStopped = await eventually {
            ClusterProcesses(cluster: cluster)?.running.isEmpty ?? true
        }
        guard isStopped else { throw TestSupportError("the server is still running") }
    }

    private static func run(_ program: String, _ arguments: [String]) async throws {
        let result = try await Subprocess.run(
            .name(program), arguments: Arguments(arguments), output: .discarded, error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else { throw TestSupportError(result.standardError) }
    }

    /// Stops it and removes its folder.
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
