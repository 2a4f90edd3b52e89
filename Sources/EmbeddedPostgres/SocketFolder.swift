import Glibc
import SystemPackage

/// The folder of the server's socket, which only the server's account (and root) can enter.
struct SocketFolder: Sendable {
    let path: String

    /// PostgreSQL names its socket after a port number, although no port is opened.
    static let port: UInt16 = 5432

    /// `sun_path` holds 108 bytes with the closing NUL (unix(7)).
    private static let longestSocketPath = 107
    private static let fallbackPrefix = "/tmp/keyward-"

    /// The socket's own path.
    var socket: String { Self.socket(in: path, port: Self.port) }

    static func socket(in folder: String, port: UInt16) -> String { "\(folder)/.s.PGSQL.\(port)" }

    /// Whether the socket can lie there: short enough, and without what separates folders in `host` and in
    /// `unix_socket_directories`.
    static func fits(_ folder: String) -> Bool {
        socket(in: folder, port: port).utf8.count <= longestSocketPath && !folder.contains { $0 == "," || $0 == "\"" }
    }

    /// Makes the folder, empty: below the data folder when the path fits, else below `/tmp`.
    static func make(in data: DataFolder, account: ServerAccount) throws(EmbeddedPostgresError) -> SocketFolder {
        do throws(Errno) {
            var path = data.socket
            if fits(path) {
                // What a killed server left there would pass for a living one.
                try Files.remove(path)
                guard mkdir(path, 0o700) == 0 else { throw .last }
            } else {
                guard let made = makeTemporary() else { throw .last }
                path = made
            }
            try Files.own(path, user: account.user, group: account.group, mode: 0o700)
            return SocketFolder(path: path)
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "the socket's folder cannot be made: \(error)")
        }
    }

    private static func makeTemporary() -> String? {
        var template = Array((fallbackPrefix + "XXXXXX").utf8CString)
        return template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, mkdtemp(start) != nil else { return nil }
            return String(cString: start)
        }
    }

    /// Removes the folder when it is one of those below `/tmp`; the other one stays for the next start.
    ///
    /// The path may come from a file of the server's account, so only the socket's own two files and an otherwise empty
    /// folder go.
    func removeIfTemporary() {
        guard path.hasPrefix(Self.fallbackPrefix), !path.dropFirst(Self.fallbackPrefix.count).contains("/") else {
            return
        }
        unlink(socket)
        unlink(socket + ".lock")
        rmdir(path)
    }
}
