import Glibc

/// A running server that a previous owner of the data folder left behind.
struct Takeover: Sendable {
    let processes: ClusterProcesses
    let process: ServerProcess
    let socketFolder: String
    let port: UInt16

    /// Finds such a server and waits until it is usable; `nil` if none runs, or none any more.
    ///
    /// The caller holds the folder's lock, so that no other process starts or stops a server.
    static func find(
        in folder: DataFolder, limits: EmbeddedPostgresConfiguration.Limits
    ) async throws(EmbeddedPostgresError) -> Takeover? {
        var seen: Running?
        let settled = await Poll.until(limits.takeover) { () -> Bool? in
            seen = Running(cluster: folder.cluster)
            return seen.map(\.isReady) ?? true ? true : nil
        }
        guard !Task.isCancelled else { throw .cancelled }
        guard let running = seen else { return nil }
        guard settled == true else { throw running.stuck(in: folder, "is still \(running.file.status.rawValue)") }
        guard let socketFolder = running.file.socketFolder, let port = running.file.port,
            await ServerProbe.answers(socket: SocketFolder.socket(in: socketFolder, port: port), limit: limits.takeover)
        else {
            // A server that was just killed may still be listed with its socket open.
            let hasEnded = await Poll.until(limits.immediateShutdown) { running.process.isAlive ? nil : true }
            guard !Task.isCancelled else { throw .cancelled }
            if hasEnded == true { return nil }
            throw running.stuck(in: folder, "does not answer")
        }
        return Takeover(processes: running.processes, process: running.process, socketFolder: socketFolder, port: port)
    }

    /// Removes obstacles to a new server. These are orphans of a dead postmaster, and a `postmaster.pid` whose process
    /// id still exists: the dead postmaster is a zombie that its parent has not reaped, or an unrelated process has
    /// this id. PostgreSQL removes any other stale file itself, with its own checks.
    static func clear(
        _ folder: DataFolder, limits: EmbeddedPostgresConfiguration.Limits
    ) async throws(EmbeddedPostgresError) {
        let orphans = await ClusterProcesses(cluster: folder.cluster)?.end(limit: limits.immediateShutdown) ?? []
        guard !Task.isCancelled else { throw .cancelled }
        guard orphans.isEmpty else {
            let ids = orphans.map { String($0.id) }.joined(separator: ", ")
            throw EmbeddedPostgresError(
                .serverStuck,
                "processes of a previous PostgreSQL (\(ids)) in \(folder.path) do not exit"
            )
        }
        guard let stale = PostmasterFile.read(cluster: folder.cluster) else { return }
        if let former = stale.socketFolder { SocketFolder(path: former).removeIfTemporary() }
        // PostgreSQL makes the same check (miscinit.c, CreateLockFile), and mistakes a zombie for a running server.
        if kill(stale.processID, 0) == 0 { unlink(folder.cluster + "/postmaster.pid") }
    }

    /// The postmaster named by a `postmaster.pid`, if it is alive and belongs to this cluster.
    private struct Running {
        let processes: ClusterProcesses
        let process: ServerProcess
        let file: PostmasterFile

        init?(cluster: String) {
            guard let file = PostmasterFile.read(cluster: cluster), let process = ServerProcess(id: file.processID),
                let processes = ClusterProcesses(cluster: cluster), processes.contains(process)
            else { return nil }
            self.processes = processes
            self.process = process
            self.file = file
        }

        var isReady: Bool { file.status == .ready || file.status == .standby }

        func stuck(in folder: DataFolder, _ what: String) -> EmbeddedPostgresError {
            EmbeddedPostgresError(
                .serverStuck,
                "a previous PostgreSQL (process \(process.id)) in \(folder.path) \(what); stop it first"
            )
        }
    }
}
