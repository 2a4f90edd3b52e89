import Glibc

/// The PostgreSQL processes of one cluster, from the postmaster to an orphaned backend. Each has the cluster's folder
/// as its working directory.
package struct ClusterProcesses: Sendable {
    // Identifies the folder itself, not its path, so that it is still found when it is moved or deleted under a running
    // server.
    private let device: dev_t
    private let inode: ino_t
    // Otherwise the owner of the cluster's files could present another user's process as its server.
    private let owner: uid_t

    /// Selects the processes of the cluster in this folder; `nil` if the folder does not exist.
    package init?(cluster: String) {
        guard let status = Files.status(cluster), Files.isFolder(status) else { return nil }
        device = status.st_dev
        inode = status.st_ino
        owner = status.st_uid
    }

    /// The running processes.
    package var running: [ServerProcess] {
        Files.names(in: "/proc").compactMap { Int32($0) }.compactMap(ServerProcess.init(id:)).filter(contains)
    }

    /// Returns true if the process is a PostgreSQL process of the cluster.
    func contains(_ process: ServerProcess) -> Bool {
        var directory = stat()
        // The link is followed on purpose: it leads to the process's working directory.
        guard stat("/proc/\(process.id)/cwd", &directory) == 0, directory.st_ino == inode, directory.st_dev == device,
            let status = Files.status("/proc/\(process.id)"), status.st_uid == owner
        else { return false }
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/\(process.id)/exe", &target, target.count)
        let path = String(decoding: target.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let program = path.split(separator: "/").last
        // After a package upgrade, the kernel marks the running program as " (deleted)".
        return (program == "postgres" || program == "postgres (deleted)") && process.isAlive
    }

    /// Stops all processes: SIGQUIT, on which PostgreSQL exits at once without a checkpoint, then SIGKILL. Returns the
    /// remaining processes, after waiting up to `limit` for each signal.
    package func end(limit: Duration) async -> [ServerProcess] {
        for signal in [SIGQUIT, SIGKILL] {
            let gone = await Poll.until(limit) { () -> Bool? in
                let running = running
                // Sent in each round, because a postmaster may have forked in between.
                for process in running { process.send(signal) }
                return running.isEmpty ? true : nil
            }
            if gone == true { return [] }
        }
        return running
    }
}
