import Glibc
import Logging
import Synchronization

/// A private PostgreSQL: started or taken over, watched, and stopped in order.
///
/// It listens on a Unix socket only and lets in nobody but the system user of this process and the server's own. The
/// data folder is locked for as long as this object lives. Stop it with ``stop()``: an object that is merely dropped
/// leaves the server running, and the next ``start(_:logger:)`` on the folder takes it over, as after a crash.
public final class EmbeddedPostgres: Sendable {
    /// The postmaster's process.
    public var processID: Int32 { process.id }

    /// Where to connect, as a libpq keyword string: the socket's folder, database and role `keyward`.
    public var connectionString: String { connectionString(database: AccessRules.database) }

    /// The processes of this server, the postmaster among them.
    package let processes: ClusterProcesses

    private let lock: DirectoryLock
    private let process: ServerProcess
    private let watch: ExitWatch
    private let socket: SocketFolder
    private let port: UInt16
    private let limits: EmbeddedPostgresConfiguration.Limits
    private let logger: Logger
    private let shutdown = Mutex<Task<Void, Never>?>(nil)

    init(
        lock: DirectoryLock, processes: ClusterProcesses, process: ServerProcess, watch: ExitWatch,
        socket: SocketFolder,
        port: UInt16, limits: EmbeddedPostgresConfiguration.Limits, logger: Logger
    ) {
        self.lock = lock
        self.processes = processes
        self.process = process
        self.watch = watch
        self.socket = socket
        self.port = port
        self.limits = limits
        self.logger = logger
    }

    /// Where to connect to another database of this server.
    package func connectionString(database: String) -> String {
        ConnectionString.make(socketFolder: socket.path, port: port, database: database)
    }

    /// Waits until the server has ended, whoever ended it; `nil` when the calling task is cancelled first.
    ///
    /// A server that ends without ``stop()`` is not started again here: what to do then is the caller's decision.
    public func waitForExit() async -> EmbeddedPostgresExit? {
        await watch.wait()
    }

    /// Stops the server and waits until no process of it is left: a fast shutdown (SIGINT), which closes connections
    /// and writes a checkpoint; after 30 s an immediate one (SIGQUIT), after 5 s more SIGKILL. Then lets go of the
    /// folder. Repeatable, and not cut short by the cancellation of the calling task.
    public func stop() async {
        let task = shutdown.withLock { shutdown in
            if let shutdown { return shutdown }
            let task = Task { await self.end() }
            shutdown = task
            return task
        }
        await task.value
    }

    private func end() async {
        process.send(SIGINT)
        if await Poll.until(limits.fastShutdown, { watch.exit }) == nil {
            logger.warning("private PostgreSQL does not shut down in time and is ended")
        }
        // After an orderly shutdown nothing is left to end.
        let left = await processes.end(limit: limits.immediateShutdown)
        if !left.isEmpty {
            logger.error(
                "processes of the private PostgreSQL do not end", metadata: ["count": .stringConvertible(left.count)])
        }
        // The report follows the end of the process by a moment.
        let exit = await Poll.until(limits.immediateShutdown) { watch.exit }
        socket.removeIfTemporary()
        lock.release()
        logger.info("private PostgreSQL stopped", metadata: ["exit": "\(exit.map { "\($0)" } ?? "none")"])
    }
}
