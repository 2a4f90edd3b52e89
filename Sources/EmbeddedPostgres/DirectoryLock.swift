import Glibc
import Synchronization
import SystemPackage

/// The exclusive hold on a data folder: `flock` on the file `lock` in it.
///
/// The kernel lets go of it when this process ends, however it ends. The descriptor is close-on-exec, so that no server
/// keeps it.
package final class DirectoryLock: Sendable {
    private let descriptor: Mutex<Int32>

    /// Takes the lock or refuses at once.
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

    /// Lets go; repeatable.
    package func release() {
        descriptor.withLock { descriptor in
            guard descriptor >= 0 else { return }
            // Unlocked by name: a child between its fork and its exec still shares the open file, and a mere close
            // would leave the lock to it for that moment.
            flock(descriptor, LOCK_UN)
            close(descriptor)
            descriptor = -1
        }
    }
}
