import Glibc

/// A process, distinguished by its start time from later ones with the same process id.
package struct ServerProcess: Sendable, Hashable {
    package let id: Int32
    /// Field 22 of `/proc/<pid>/stat`: clock ticks since boot.
    private let started: UInt64

    /// Finds the process with this id; `nil` if it has exited.
    package init?(id: Int32) {
        guard let started = Self.status(of: id)?.started else { return nil }
        self.id = id
        self.started = started
    }

    /// True while the process runs. A zombie does not count.
    package var isAlive: Bool { Self.status(of: id)?.started == started }

    /// True if the process is stopped by SIGSTOP.
    package var isStopped: Bool {
        guard let status = Self.status(of: id) else { return false }
        return status.started == started && status.state == "T"
    }

    /// Sends a signal, unless the process has exited.
    package func send(_ signal: Int32) {
        if isAlive { kill(id, signal) }
    }

    private static func status(of id: Int32) -> (state: Substring, started: UInt64)? {
        guard let text = try? Files.read("/proc/\(id)/stat", limit: 4096) else { return nil }
        return status(in: text)
    }

    /// Parses proc(5)'s `stat`; `nil` for a dead process. The command's name, in parentheses, may contain any
    /// character.
    static func status(in text: String) -> (state: Substring, started: UInt64)? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        // The fields from field 3, the state, onwards.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let started = UInt64(fields[19]) else {
            return nil
        }
        return (fields[0], started)
    }
}
