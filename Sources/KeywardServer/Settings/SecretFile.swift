import EmbeddedPostgres
import Glibc
import Logging

/// A file that holds a secret: the admin key, or the private key of a certificate.
enum SecretFile {
    /// An error for a file that must not be used, or cannot be read.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
    }

    /// The largest accepted size of a file, in bytes.
    private static let largest = 65_536

    /// Returns the file's text, and a warning if all users of the machine can read the file.
    /// - Throws: an error if the file cannot be read, or if another user can write it.
    static func read(_ path: String) throws(Refusal) -> (text: String, warning: String?) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { close(descriptor) }
        let warning = try inspect(descriptor, path)
        var bytes = [UInt8](repeating: 0, count: largest + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress?.advanced(by: count), $0.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw unreadable(path) }
            if got == 0 { break }
            count += got
        }
        guard count <= largest, let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
            throw Refusal(description: "\(path) is not UTF-8 text of at most \(largest) bytes")
        }
        return (text, warning)
    }

    /// Makes the checks of `read` for a file that a library reads. The library reports a file that cannot be opened.
    static func inspect(_ path: String) throws(Refusal) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return try inspect(descriptor, path)
    }

    private static func inspect(_ descriptor: Int32, _ path: String) throws(Refusal) -> String? {
        guard let access = Files.access(ofOpen: descriptor) else { throw unreadable(path) }
        let mode = String(access.mode, radix: 8)
        guard access.owner == 0 || access.owner == geteuid() else {
            throw Refusal(
                description:
                    "\(path) belongs to user id \(access.owner), who can write it: chown it to root or to the user "
                    + "that runs Keyward")
        }
        guard access.mode & 0o022 == 0 else {
            throw Refusal(description: "\(path) can be written by others (mode \(mode)): chmod go-w \(path)")
        }
        guard access.mode & 0o004 != 0, access.isRegular else { return nil }
        return "\(path) can be read by every user of this machine (mode \(mode)): chmod o-r \(path)"
    }

    /// Returns a warning if other users can replace files in a folder with secrets; nil otherwise, or if there is no
    /// folder.
    static func inspectFolder(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard let access = Files.access(ofOpen: descriptor), access.mode & 0o022 != 0 else { return nil }
        return "files in \(path) can be replaced by others (mode \(String(access.mode, radix: 8))): chmod go-w \(path)"
    }

    /// Logs the warnings that the other functions return.
    static func log(_ warnings: [String], to logger: Logger) {
        for warning in warnings {
            logger.warning("other users can reach a secret", metadata: ["detail": "\(warning)"])
        }
    }

    private static func unreadable(_ path: String) -> Refusal {
        Refusal(description: "\(path) cannot be read: \(String(cString: strerror(errno)))")
    }
}
