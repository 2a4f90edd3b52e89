import AuthKeys
import FoundationEssentials
import Glibc

/// The admin key in a file.
enum AdminKeyFile {
    /// The file's text without white space around it; nil if it cannot be read.
    static func read(_ path: String) -> String? {
        guard let data = try? Data(contentsOf: URL(filePath: path)), let text = String(data: data, encoding: .utf8)
        else {
            return nil
        }
        let trimmed = text.drop(while: \.isWhitespace)
        return String(trimmed.prefix(trimmed.count - trimmed.reversed().prefix(while: \.isWhitespace).count))
    }

    /// The key in `<folder>/admin-key`, made there if need be, for nobody else to read (mode 0600).
    static func readOrCreate(in folder: String) throws(SettingsError) -> (key: String, path: String) {
        let path = folder + "/admin-key"
        if let key = read(path) { return (key, path) }
        let key = "kwadmin_" + Token.generate().value.suffix(49)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw SettingsError(.dataDirectory, "\(path) cannot be written (\(String(cString: strerror(errno))))")
        }
        defer { close(descriptor) }
        let line = Array((key + "\n").utf8)
        guard write(descriptor, line, line.count) == line.count, fsync(descriptor) == 0 else {
            unlink(path)
            throw SettingsError(.dataDirectory, "\(path) cannot be written (\(String(cString: strerror(errno))))")
        }
        return (key, path)
    }
}
