import Dispatch
import Glibc

/// Tells when a socket can be read or written.
///
/// It watches a duplicate of the descriptor. libpq closes its own from inside other calls when a connection breaks, and
/// that number may be another socket's before anybody knows.
final class SocketWatch: @unchecked Sendable {
    // Unchecked: the variables are touched on `queue` only, and last of all in `deinit`.
    private let descriptor: Int32
    private let queue: DispatchQueue
    private let onEvent: @Sendable () -> Void
    private var token: UInt64?
    private var isCancelled = false

    /// Calls `onEvent` on `queue` whenever `socket` has something to read, again and again until it is read. Nil when no
    /// descriptor is left.
    init?(socket: Int32, queue: DispatchQueue, onEvent: @escaping @Sendable () -> Void) {
        descriptor = fcntl(socket, F_DUPFD_CLOEXEC, 0)
        self.queue = queue
        self.onEvent = onEvent
        guard descriptor >= 0 else { return nil }
        token = SocketPoller.shared.add(descriptor) { [weak self, queue] token in
            queue.async { [weak self] in self?.event(token) }
        }
        guard token != nil else {
            close(descriptor)
            return nil
        }
    }

    deinit { cancel() }

    /// Calls `onEvent` too when the socket can be written, once. To be called on the queue.
    func notifyWhenWritable() {
        if let token { SocketPoller.shared.arm(descriptor, token: token, write: true) }
    }

    /// Whether the socket can be read, or written, right now; or has failed, which the next call will tell.
    func isReady(read: Bool, write: Bool) -> Bool {
        let events = (read ? POLLIN : 0) | (write ? POLLOUT : 0)
        var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&request, 1, 0) > 0
    }

    /// Stops watching and closes the duplicate. To be called on the queue, or last of all.
    func cancel() {
        guard let token else { return }
        self.token = nil
        isCancelled = true
        SocketPoller.shared.remove(descriptor, token: token)
        close(descriptor)
    }

    /// Perhaps before `token` is kept: so it goes by the poller's.
    private func event(_ token: UInt64) {
        guard !isCancelled else { return }
        onEvent()
        // What has been left unread is told again: the poller reports once for each time it is armed.
        if !isCancelled { SocketPoller.shared.arm(descriptor, token: token, write: false) }
    }
}
