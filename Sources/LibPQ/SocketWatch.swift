import Dispatch
import Glibc
import Synchronization

/// Tells when a socket can be read or written.
///
/// It watches a duplicate of the descriptor, closed only after the sources have been cancelled. libpq closes its own
/// descriptor from inside other calls when a connection breaks, and a number that is used again while a source still
/// watches it would take the new owner's events.
final class SocketWatch: @unchecked Sendable {
    // Unchecked: `writeSource` is touched on `queue` only, `isCancelled` is atomic, everything else is constant.
    private let descriptor: Int32
    private let queue: DispatchQueue
    private let onEvent: @Sendable () -> Void
    private let sources = DispatchGroup()
    private let readSource: any DispatchSourceRead
    private var writeSource: (any DispatchSourceWrite)?
    private let isCancelled = Atomic(false)

    /// Calls `onEvent` on `queue` whenever `socket` has something to read, again and again until it is read. Nil when no
    /// descriptor is left.
    init?(socket: Int32, queue: DispatchQueue, onEvent: @escaping @Sendable () -> Void) {
        let descriptor = fcntl(socket, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
        self.queue = queue
        self.onEvent = onEvent
        readSource = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        readSource.setEventHandler { onEvent() }
        let sources = self.sources
        sources.enter()
        readSource.setCancelHandler { sources.leave() }
        readSource.activate()
    }

    deinit { cancel() }

    /// Calls `onEvent` once when the socket can be written. To be called on the queue.
    func notifyWhenWritable() {
        guard writeSource == nil, !isCancelled.load(ordering: .acquiring) else { return }
        let source = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler { [weak self] in
            self?.endWriteSource()
            self?.onEvent()
        }
        let sources = self.sources
        sources.enter()
        source.setCancelHandler { sources.leave() }
        writeSource = source
        source.activate()
    }

    /// Whether the socket can be read, or written, right now; or has failed, which the next call will tell.
    func isReady(read: Bool, write: Bool) -> Bool {
        let events = (read ? POLLIN : 0) | (write ? POLLOUT : 0)
        var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        return poll(&request, 1, 0) > 0
    }

    /// Stops watching; the duplicate is closed once no source looks at it. To be called on the queue, or last of all.
    func cancel() {
        guard !isCancelled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        readSource.cancel()
        endWriteSource()
        let descriptor = descriptor
        sources.notify(queue: queue) { close(descriptor) }
    }

    private func endWriteSource() {
        writeSource?.cancel()
        writeSource = nil
    }
}
