package import Glibc
package import SystemPackage

extension Errno {
    /// The error of the system call that has just failed.
    static var last: Errno { Errno(rawValue: errno) }
}

/// The file operations in use here. None follows a symbolic link in the last component of a path: as root, this process
/// works in folders in which the server's unprivileged user can write.
package enum Files {
    /// Returns the result of `lstat`, or `nil` if the path does not exist.
    static func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    /// Returns the owner, the permission bits and the type of an open file.
    package static func access(ofOpen descriptor: Int32) -> (owner: UInt32, mode: UInt32, isRegular: Bool)? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        return (status.st_uid, status.st_mode & 0o777, status.st_mode & S_IFMT == S_IFREG)
    }

    static func isFolder(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

    /// Returns the path without links, `.` and `..`.
    static func realPath(_ path: String) throws(Errno) -> String {
        guard let resolved = realpath(path, nil) else { throw .last }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Returns the names in a folder, without `.` and `..`; empty if the folder cannot be read.
    package static func names(in folder: String) -> [String] {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        return descriptor < 0 ? [] : names(ofOpen: descriptor)
    }

    /// Reads at most `limit` bytes, beginning at `offset`.
    static func read(_ path: String, from offset: Int = 0, limit: Int) throws(Errno) -> String {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress?.advanced(by: count), limit - count, offset + count)
            }
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw .last }
            if got == 0 { break }
            count += got
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    /// Replaces a file atomically, so that no reader sees a partial file.
    static func replace(_ path: String, with contents: String, mode: mode_t) throws(Errno) {
        let new = path + ".new"
        unlink(new)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .last }
        do throws(Errno) {
            defer { close(descriptor) }
            // Sets the requested mode regardless of the umask.
            guard fchmod(descriptor, mode) == 0 else { throw .last }
            try write(contents, to: descriptor)
        } catch {
            unlink(new)
            throw error
        }
        guard rename(new, path) == 0 else { throw .last }
    }

    static func write(_ contents: String, to descriptor: Int32) throws(Errno) {
        var rest = Array(contents.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw .last }
            rest = rest.dropFirst(written)
        }
    }

    /// Creates a folder with this mode, and its missing ancestors with mode 0755, regardless of the umask. Existing
    /// folders keep their modes.
    package static func makeFolders(_ path: String, mode: mode_t) throws(Errno) {
        var path = path
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        if try makeFolder(path, mode: mode) { return }
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { throw .noSuchFileOrDirectory }
        try makeFolders(String(path[..<slash]), mode: 0o755)
        guard try makeFolder(path, mode: mode) else { throw .noSuchFileOrDirectory }
    }

    /// Creates a folder. Returns false if the folder above is missing.
    private static func makeFolder(_ path: String, mode: mode_t) throws(Errno) -> Bool {
        guard mkdir(path, mode) == 0 else {
            switch errno {
            case EEXIST: return true
            case ENOENT: return false
            default: throw .last
            }
        }
        try own(path, user: unchanged, group: unchanged, mode: mode)
        return true
    }

    /// The value that leaves an owner unchanged (chown(2)).
    static let unchanged = uid_t.max

    /// Sets the owner, group and mode of a folder.
    static func own(_ folder: String, user: uid_t, group: gid_t, mode: mode_t) throws(Errno) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last }
        defer { close(descriptor) }
        guard fchown(descriptor, user, group) == 0, fchmod(descriptor, mode) == 0 else { throw .last }
    }

    /// Makes renames in a folder durable.
    static func synchronize(_ folder: String) throws(Errno) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .last }
    }

    /// Removes a file, or a folder with its contents. A missing file is not an error.
    package static func remove(_ path: String) throws(Errno) {
        try remove(path, in: AT_FDCWD)
    }

    private static func remove(_ name: String, in parent: Int32) throws(Errno) {
        if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw .last }
        let descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last }
        defer { close(descriptor) }
        for entry in names(ofOpen: dup(descriptor)) { try remove(entry, in: descriptor) }
        guard unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT else { throw .last }
    }

    /// Lists the names in a folder. It takes ownership of the descriptor and closes it.
    private static func names(ofOpen descriptor: Int32) -> [String] {
        guard descriptor >= 0, let stream = fdopendir(descriptor) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) {
                    String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}
