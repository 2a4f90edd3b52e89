import EmbeddedPostgres
import Glibc
import Synchronization

/// The folder of this test process below `/tmp`, which has all files of its servers. It is removed when the process
/// exits, and each PostgreSQL below it is stopped.
///
/// A process that is killed leaves its folder. The next test process finds its lock free and removes it.
public enum TestFolder {
    private struct Root {
        let path: String
        let lock: DirectoryLock
        var made = 0
    }

    private static let prefix = "keyward-tests-"
    private static let root = Mutex<Root?>(nil)

    /// Returns the path of a new subfolder, which does not exist yet.
    public static func make(_ name: String) throws -> String {
        try root.withLock { root in
            var current = try root ?? makeRoot()
            current.made += 1
            root = current
            return "\(current.path)/\(name)-\(current.made)"
        }
    }

    private static func makeRoot() throws -> Root {
        clearLeftovers()
        // Other processes do not remove a hidden name, so it is used until the folder is locked.
        var template = Array("/tmp/.\(prefix)XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestSupportError("no folder can be made in /tmp") }
        let hidden = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = "/tmp/" + hidden.dropFirst("/tmp/.".count)
        let lock = try DirectoryLock(folder: hidden)
        // The unprivileged user of the servers needs search permission.
        guard chmod(hidden, 0o711) == 0, rename(hidden, path) == 0 else {
            throw TestSupportError("no folder can be made in /tmp")
        }
        atexit {
            // The lock is held until all files are removed.
            TestFolder.root.withLock { root in
                if let root { TestFolder.destroy(root.path) }
            }
        }
        return Root(path: path, lock: lock)
    }

    /// Removes the folders of dead test processes.
    package static func clearLeftovers() {
        for name in Files.names(in: "/tmp") where name.hasPrefix(prefix) {
            let path = "/tmp/\(name)"
            guard let lock = try? DirectoryLock(folder: path) else { continue }
            destroy(path)
            lock.release()
        }
    }

    /// Kills every server below the folder at once, and removes the folder.
    private static func destroy(_ path: String) {
        for name in Files.names(in: path) {
            guard let processes = ClusterProcesses(cluster: "\(path)/\(name)/cluster") else { continue }
            for round in 0..<1000 {
                let running = processes.running
                if running.isEmpty { break }
                // A postmaster that exits reaps its children; a paused one must be killed.
                for process in running { process.send(round < 200 ? SIGQUIT : SIGKILL) }
                usleep(10_000)
            }
        }
        try? Files.remove(path)
    }
}

/// An error in the setup of a test.
public struct TestSupportError: Error, CustomStringConvertible {
    public let description: String

    package init(_ description: String) { self.description = description }
}
