import Glibc
public import Logging

extension EmbeddedPostgres {
    /// Starts a private PostgreSQL in the configured folder, and returns when it accepts connections.
    ///
    /// A folder without a cluster gets one. A server that a crashed owner left running is taken over as it is. If this
    /// process is root, the server runs as an unprivileged user: the owner of the cluster, or else `postgres`, or else
    /// `nobody`. If the start throws or its task is cancelled, no process remains.
    ///
    /// libpq's variables are removed from this process's environment: see `ClientEnvironment`.
    public static func start(
        _ configuration: EmbeddedPostgresConfiguration, logger: Logger
    ) async throws(EmbeddedPostgresError) -> EmbeddedPostgres {
        let removed = ClientEnvironment.clear()
        if !removed.isEmpty {
            logger.notice(
                "variables of libpq are ignored for the private PostgreSQL",
                metadata: ["variables": "\(removed.joined(separator: " "))"])
        }
        let folder = try DataFolder(configuration.directory)
        let account = try ServerAccount(cluster: folder.cluster)
        try folder.admit(account)
        let lock = try DirectoryLock(folder: folder.path)
        let tool = Tool(account: account)
        try await folder.checkReachable(tool: tool)
        if let former = try await Takeover.find(in: folder, limits: configuration.limits) {
            return adopt(former, lock: lock, limits: configuration.limits, logger: logger)
        }
        let cluster = Cluster(folder: folder, tool: tool)
        let binaries = try await ServerBinaries.find(
            configuration.binaries, for: cluster.major(), cluster: folder.cluster, tool: tool)
        try await cluster.removeUnfinished()
        try await Takeover.clear(folder, limits: configuration.limits)
        try AccessRules.write(to: folder, account: account)
        let socket = try SocketFolder.make(in: folder, account: account)
        do throws(EmbeddedPostgresError) {
            let settings = try ServerSettings(configuration.settings, folder: folder, socket: socket)
            if !cluster.exists {
                logger.info("the private PostgreSQL is being set up", metadata: ["folder": "\(folder.path)"])
                try await cluster.initialize(binaries: binaries, durable: settings.isDurable)
            }
            return try await launch(
                binaries, settings: settings, folder: folder, lock: lock, tool: tool, socket: socket,
                limits: configuration.limits, logger: logger)
        } catch {
            socket.removeIfTemporary()
            throw error
        }
    }

    private static func adopt(
        _ former: Takeover, lock: DirectoryLock, limits: EmbeddedPostgresConfiguration.Limits, logger: Logger
    ) -> EmbeddedPostgres {
        let watch = ExitWatch()
        // Only the parent process is notified of an exit, so this process has to poll.
        Task.detached {
            _ = await Poll.until(nil, every: .milliseconds(200)) { former.process.isAlive ? nil : true }
            watch.report(.unknown)
        }
        logger.notice(
            "the private PostgreSQL of a previous owner was taken over",
            metadata: ["pid": .stringConvertible(former.process.id)])
        return EmbeddedPostgres(
            lock: lock, processes: former.processes, process: former.process, watch: watch,
            socket: SocketFolder(path: former.socketFolder), port: former.port, limits: limits, logger: logger)
    }

    private static func launch(
        _ binaries: ServerBinaries, settings: ServerSettings, folder: DataFolder, lock: DirectoryLock, tool: Tool,
        socket: SocketFolder, limits: EmbeddedPostgresConfiguration.Limits, logger: Logger
    ) async throws(EmbeddedPostgresError) -> EmbeddedPostgres {
        let (log, descriptor) = try ServerLog.open(folder.log)
        let watch = ExitWatch()
        let launched = Int64(time(nil))
        let processID: Int32
        do {
            processID = try await tool.launch(
                binaries.postgres, ["-D", folder.cluster] + settings.arguments, log: descriptor, watch: watch)
        } catch {
            throw EmbeddedPostgresError(.startFailed, "\(binaries.postgres) cannot be run: \(error)")
        }
        guard let process = ServerProcess(id: processID), let processes = ClusterProcesses(cluster: folder.cluster)
        else {
            _ = await watch.wait()
            throw failure("it exited at once", log)
        }
        let server = EmbeddedPostgres(
            lock: lock, processes: processes, process: process, watch: watch, socket: socket,
            port: SocketFolder.port, limits: limits, logger: logger)
        // Waits like pg_ctl: the file must belong to this server, not to a crashed one with the same process id.
        let isReady = await Poll.until(limits.start) { () -> Bool? in
            if watch.exit != nil { return false }
            guard let file = PostmasterFile.read(cluster: folder.cluster), file.processID == processID,
                file.startTime >= launched - 2
            else { return nil }
            return file.status == .ready ? true : nil
        }
        guard isReady == true else {
            let isCancelled = Task.isCancelled
            await server.stop()
            if isCancelled { throw .cancelled }
            throw failure(isReady == nil ? "it was not ready within \(limits.start)" : "it exited", log)
        }
        logger.info(
            "the private PostgreSQL started",
            metadata: ["pid": .stringConvertible(processID), "version": .stringConvertible(binaries.major)])
        return server
    }

    private static func failure(_ reason: String, _ log: ServerLog) -> EmbeddedPostgresError {
        EmbeddedPostgresError(
            .startFailed,
            "the private PostgreSQL did not start: \(reason); the end of \(log.path):",
            log: log.lastLines()
        )
    }
}
