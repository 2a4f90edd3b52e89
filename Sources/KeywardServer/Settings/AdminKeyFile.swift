import AuthKeys
import Glibc

/// The admin key in a file.
enum AdminKeyFile {
    /// Returns the key, without surrounding white space, and a warning if other users can read the file.
    /// - Throws: an error if the file cannot be used, or does not hold exactly one line.
    static func read(_ path: String) throws -> (key: String, warning: String?) {
        let (text, warning) = try SecretFile.read(path)
        guard let key = try SettingText.clean(text, path) else {
            throw SecretFile.Refusal(description: "\(path) is empty")
        }
        return (key, warning)
    }

    /// Returns the key in `<folder>/admin-key`. Creates the file with a new key and mode 0600 if it does not exist.
    static func readOrCreate(in folder: String) throws -> (key: String, path: String, warning: String?) {
        let path = folder + "/admin-key"
        if access(path, F_OK) == 0 {
            let (key, warning) = try read(path)
            return (key, path, warning)
        }
        let key = "kwadmin_" + Token.generate().value.suffix(49)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw unwritable(path) }
        defer { close(descriptor) }
        let line = Array((key + "\n").utf8)
        // The umask may have cleared bits of the mode.
        guard fchmod(descriptor, 0o600) == 0, write(descriptor, line, line.count) == line.count, fsync(descriptor) == 0
        else {
            let error = unwritable(path)
            unlink(path)
            throw error
        }
        return (key, path, nil)
    }

    private static func unwritable(_ path: String) -> SettingsError {
        SettingsError(Setting.dataDirectory, cannot: "\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
}
