import Dispatch
import Glibc

/// Reports when a socket is readable or writable.
///
/// It watches a duplicate of the descriptor. When a connection breaks, libpq closes its own descriptor inside other
/// calls. Another socket may then get that number before it is noticed.
final class SocketWatch: @unchecked Sendable {
    // Unchecked: the variables are used on `queue` only, and finally in `deinit`.
    private let descriptor: Int32
    private let queue: DispatchQueue
    private let onEvent: @Sendable () -> Void
    private var token: UInt64?
    private var isCancelled = false

    /// Calls `onEvent` on `queue` whenever `socket` is readable, repeatedly until the input is read. Returns nil if no
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

    /// Calls `onEvent` also when the socket becomes writable, once. Call it on the queue.
    func notifyWhenWritable() {
        if let token { SocketPoller.shared.arm(descriptor, token: token, write: true) }
    }

    /// Returns true if the socket is readable or writable now, or if it has failed; then the next call reports the
    /// error.
    func isReady(read: Bool, write: Bool) -> Bool {
        let events = (read ? POLLIN : 0) | (write ? POLLOUT : 0)
        var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&request, 1, 0) > 0
    }

    /// Stops watching and closes the duplicate. Call it on the queue, or in `deinit`.
    func cancel() {
        guard let token else { return }
        self.token = nil
        isCancelled = true
        SocketPoller.shared.remove(descriptor, token: token)
        close(descriptor)
    }

    /// Handles an event. It may arrive before the `token` property is set, so it uses the poller's token.
    private func event(_ token: UInt64) {
        guard !isCancelled else { return }
        onEvent()
        // The poller reports once for each time it is armed, so unread input is reported again only after this.
        if !isCancelled { SocketPoller.shared.arm(descriptor, token: token, write: false) }
    }
}
