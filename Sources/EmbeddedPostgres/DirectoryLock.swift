import Glibc
import Synchronization
import SystemPackage

/// An exclusive lock on a data folder: `flock` on the file `lock` in it.
///
/// The kernel releases the lock when this process exits for any reason. The descriptor is close-on-exec, so that no
/// server inherits it.
package final class DirectoryLock: Sendable {
    private let descriptor: Mutex<Int32>

    /// Acquires the lock, or throws at once.
    package init(folder: String) throws(EmbeddedPostgresError) {
        let descriptor = open(folder + "/lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw EmbeddedPostgresError(
                .directoryUnusable,
                "the folder \(folder) cannot be locked: \(Errno.last)"
            )
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = Errno.last
            close(descriptor)
            guard error == .wouldBlock else {
                throw EmbeddedPostgresError(.directoryUnusable, "the folder \(folder) cannot be locked: \(error)")
            }
            throw EmbeddedPostgresError(
                .directoryInUse,
                "the folder \(folder) is in use by another Keyward; stop it, or choose another folder with --data-dir"
            )
        }
        self.descriptor = Mutex(descriptor)
    }

    deinit { release() }

    /// Releases the lock. Calls after the first have no effect.
    package func release() {
        descriptor.withLock { descriptor in
            guard descriptor >= 0 else { return }
            // Unlocked explicitly: a child between its fork and its exec shares the open file, so closing alone would
            // leave it locked for that time.
            flock(descriptor, LOCK_UN)
            close(descriptor)
            descriptor = -1
        }
    }
}
