import Glibc
import SystemPackage

/// The folder of the server's socket, which only the server's account (and root) can enter.
struct SocketFolder: Sendable {
    let path: String

    /// The port number in the name of PostgreSQL's socket. No TCP port is opened.
    static let port: UInt16 = 5432

    /// The longest path in bytes: `sun_path` has 108 bytes including the terminating NUL (unix(7)).
    private static let longestSocketPath = 107
    private static let fallbackPrefix = "/tmp/keyward-"

    /// The path of the socket itself.
    var socket: String { Self.socket(in: path, port: Self.port) }

    static func socket(in folder: String, port: UInt16) -> String { "\(folder)/.s.PGSQL.\(port)" }

    /// Returns true if the folder can contain the socket: the path is short enough, and contains none of the separators
    /// of `host` and of `unix_socket_directories`.
    static func fits(_ folder: String) -> Bool {
        socket(in: folder, port: port).utf8.count <= longestSocketPath && !folder.contains { $0 == "," || $0 == "\"" }
    }

    /// Creates the empty folder: in the data folder if the path fits, or else in `/tmp`.
    static func make(in data: DataFolder, account: ServerAccount) throws(EmbeddedPostgresError) -> SocketFolder {
        do throws(Errno) {
            var path = data.socket
            if fits(path) {
                // The socket of a killed server would look like a running server.
                try Files.remove(path)
                guard mkdir(path, 0o700) == 0 else { throw .last }
            } else {
                guard let made = makeTemporary() else { throw .last }
                path = made
            }
            try Files.own(path, user: account.user, group: account.group, mode: 0o700)
            return SocketFolder(path: path)
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "the socket's folder cannot be created: \(error)")
        }
    }

    private static func makeTemporary() -> String? {
        var template = Array((fallbackPrefix + "XXXXXX").utf8CString)
        return template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, mkdtemp(start) != nil else { return nil }
            return String(cString: start)
        }
    }

    /// Removes the folder if it is in `/tmp`. The one in the data folder remains for the next start.
    ///
    /// The path may come from a file that the server's account can write. Therefore only the socket's two files and an
    /// otherwise empty folder are removed.
    func removeIfTemporary() {
        guard path.hasPrefix(Self.fallbackPrefix), !path.dropFirst(Self.fallbackPrefix.count).contains("/") else {
            return
        }
        unlink(socket)
        unlink(socket + ".lock")
        rmdir(path)
    }
}
