import Glibc
import Logging
import Synchronization

/// A private PostgreSQL server, started or taken over, monitored, and shut down gracefully.
///
/// It listens on a Unix socket only, and admits only the system user of this process and the server's own user. The
/// data folder is locked for the lifetime of this object. Stop the server with ``stop()``: if the object is only
/// released, the server keeps running. The next ``start(_:logger:)`` on the folder then takes it over, as after a
/// crash.
public final class EmbeddedPostgres: Sendable {
    /// The process id of the postmaster.
    public var processID: Int32 { process.id }

    /// The connection string as a libpq keyword string: the socket's folder, database and role `keyward`.
    public var connectionString: String { connectionString(database: AccessRules.database) }

    /// The processes of this server, including the postmaster.
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

    /// Returns the connection string of another database of this server.
    package func connectionString(database: String) -> String {
        ConnectionString.make(socketFolder: socket.path, port: port, database: database)
    }

    /// Waits until the server has exited for any reason; returns `nil` if the calling task is cancelled first.
    ///
    /// A server that exits without ``stop()`` is not restarted here: the caller decides what to do.
    public func waitForExit() async -> EmbeddedPostgresExit? {
        await watch.wait()
    }

    /// Stops the server and waits until none of its processes is left. A fast shutdown (SIGINT) closes connections and
    /// writes a checkpoint. After 30 s follows an immediate shutdown (SIGQUIT), and after another 5 s SIGKILL. Finally,
    /// the lock on the folder is released. Calls may be repeated. Cancelling the calling task does not interrupt the
    /// shutdown.
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
            logger.warning("the private PostgreSQL does not shut down in time and is killed")
        }
        // After a graceful shutdown no process is left.
        let left = await processes.end(limit: limits.immediateShutdown)
        if !left.isEmpty {
            logger.error(
                "processes of the private PostgreSQL do not exit", metadata: ["count": .stringConvertible(left.count)])
        }
        // The report arrives shortly after the process has exited.
        let exit = await Poll.until(limits.immediateShutdown) { watch.exit }
        socket.removeIfTemporary()
        lock.release()
        logger.info("the private PostgreSQL stopped", metadata: ["exit": "\(exit.map { "\($0)" } ?? "none")"])
    }
}
