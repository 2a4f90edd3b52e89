import Glibc

/// The PostgreSQL processes that work on one cluster: each has its folder as working directory, from the postmaster to
/// a forgotten backend.
package struct ClusterProcesses: Sendable {
    // The folder itself, not its path: both stay right when the folder is moved or deleted under a running server.
    private let device: dev_t
    private let inode: ino_t
    // Who owns the cluster's files could otherwise pass off another user's process as its server.
    private let owner: uid_t

    /// The processes on the cluster in this folder; `nil` when there is no such folder.
    package init?(cluster: String) {
        guard let status = Files.status(cluster), Files.isFolder(status) else { return nil }
        device = status.st_dev
        inode = status.st_ino
        owner = status.st_uid
    }

    /// Those that run now.
    package var running: [ServerProcess] {
        Files.names(in: "/proc").compactMap { Int32($0) }.compactMap(ServerProcess.init(id:)).filter(contains)
    }

    /// Whether this process is a PostgreSQL on the cluster.
    func contains(_ process: ServerProcess) -> Bool {
        var directory = stat()
        // Followed on purpose: the link leads to the process's working directory itself.
        guard stat("/proc/\(process.id)/cwd", &directory) == 0, directory.st_ino == inode, directory.st_dev == device,
            let status = Files.status("/proc/\(process.id)"), status.st_uid == owner
        else { return false }
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/\(process.id)/exe", &target, target.count)
        let path = String(decoding: target.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let program = path.split(separator: "/").last
        // After an upgrade of the package the kernel marks the program it runs as " (deleted)".
        return (program == "postgres" || program == "postgres (deleted)") && process.isAlive
    }

    /// Ends whatever runs: SIGQUIT, on which PostgreSQL leaves at once without a checkpoint, then SIGKILL.
    /// Returns what is left after `limit` for each.
    package func end(limit: Duration) async -> [ServerProcess] {
        for signal in [SIGQUIT, SIGKILL] {
            let gone = await Poll.until(limit) { () -> Bool? in
                let running = running
                // Again in each round: a postmaster may have forked meanwhile.
                for process in running { process.send(signal) }
                return running.isEmpty ? true : nil
            }
            if gone == true { return [] }
        }
        return running
    }
}
