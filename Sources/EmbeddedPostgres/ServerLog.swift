import Glibc
import SystemPackage

/// The log file of the server.
struct ServerLog: Sendable {
    let path: String
    /// The offset at which this run's part begins.
    private let start: Int

    /// The size in bytes above which the next start rotates the log. One old log is kept.
    static let largest = 8 << 20
    private static let lines = 12

    /// Opens the log for appending. The caller owns the descriptor.
    static func open(_ path: String) throws(EmbeddedPostgresError) -> (log: ServerLog, descriptor: Int32) {
        if let status = Files.status(path), status.st_size > largest { rename(path, path + ".1") }
        let descriptor = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw EmbeddedPostgresError(.directoryUnusable, "the log \(path) cannot be written: \(Errno.last)")
        }
        return (ServerLog(path: path, start: lseek(descriptor, 0, SEEK_END)), descriptor)
    }

    /// Returns the last lines of this run.
    func lastLines() -> [String] {
        let size = Files.status(path).map { Int($0.st_size) } ?? start
        let window = 8 << 10
        let text = try? Files.read(path, from: max(start, size - window), limit: window)
        return Self.lastLines(of: text ?? "")
    }

    static func lastLines(of text: String) -> [String] {
        text.split(separator: "\n").suffix(lines).map(String.init)
    }
}
