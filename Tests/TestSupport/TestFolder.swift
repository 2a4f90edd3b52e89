import EmbeddedPostgres
import Glibc
import Synchronization

/// The folder of this test process below `/tmp`: everything it starts lives in it, and it goes, with every PostgreSQL
/// below it, when the process exits.
///
/// A process that is killed leaves its folder; the next test process finds that nobody holds its lock and clears it.
public enum TestFolder {
    private struct Root {
        let path: String
        let lock: DirectoryLock
        var made = 0
    }

    private static let prefix = "keyward-tests-"
    private static let root = Mutex<Root?>(nil)

    /// A new folder of its own, which does not exist yet.
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
        // Under a name that nobody clears, until it is locked.
        var template = Array("/tmp/.\(prefix)XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestSupportError("no folder can be made in /tmp") }
        let hidden = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = "/tmp/" + hidden.dropFirst("/tmp/.".count)
        let lock = try DirectoryLock(folder: hidden)
        // The unprivileged user of the servers has to pass.
        guard chmod(hidden, 0o711) == 0, rename(hidden, path) == 0 else {
            throw TestSupportError("no folder can be made in /tmp")
        }
        atexit {
            // The lock is held until all is gone.
            TestFolder.root.withLock { root in
                if let root { TestFolder.destroy(root.path) }
            }
        }
        return Root(path: path, lock: lock)
    }

    /// Clears the folders of test processes that are dead.
    package static func clearLeftovers() {
        for name in Files.names(in: "/tmp") where name.hasPrefix(prefix) {
            let path = "/tmp/\(name)"
            guard let lock = try? DirectoryLock(folder: path) else { continue }
            destroy(path)
            lock.release()
        }
    }

    /// Ends every server below the folder at once, and removes it.
    private static func destroy(_ path: String) {
        for name in Files.names(in: path) {
            guard let processes = ClusterProcesses(cluster: "\(path)/\(name)/cluster") else { continue }
            for round in 0..<1000 {
                let running = processes.running
                if running.isEmpty { break }
                // A postmaster that ends by itself reaps its children; one that is paused has to be killed.
                for process in running { process.send(round < 200 ? SIGQUIT : SIGKILL) }
                usleep(10_000)
            }
        }
        try? Files.remove(path)
    }
}

/// What a test could not be given.
public struct TestSupportError: Error, CustomStringConvertible {
    public let description: String

    package init(_ description: String) { self.description = description }
}
