public import AuthKeys
import Synchronization

/// Pages that wait for their writer, limited in bytes. Appending takes a lock for a moment, once a page.
public final class PageQueue: Sendable {
    private struct State {
        var pages: [RequestPage] = []
        var bytes = 0
        var isClosed = false
        /// Those that wait for a page, the longest waiting first.
        var waiters: [(id: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var lastWaiter = 0
    }

    /// The maximum memory of the waiting pages, in bytes.
    public let capacity: Int
    private let state = Mutex(State())
    /// The size of the waiting pages in eighths of the capacity, for samplers, which read it without the lock.
    private let level = Atomic<Int>(0)

    public init(capacity: Int) {
        self.capacity = max(capacity, 2 * RequestPage.capacity)
    }

    /// The memory of the waiting pages, in bytes.
    public var bytes: Int { state.withLock { $0.bytes } }
    /// The size of the waiting pages in eighths of the capacity.
    public var eighths: Int { level.load(ordering: .relaxed) }
    /// True if the queue accepts no more pages.
    public var isClosed: Bool { state.withLock { $0.isClosed } }
    /// The time of the first line of the page that waits longest; nil if no page waits.
    public var began: Timestamp? { state.withLock { $0.pages.first?.began } }

    /// Appends a page. Returns false, without it, if the queue is full or closed.
    public func append(_ page: RequestPage) -> Bool {
        let (isAppended, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isClosed, state.bytes + page.footprint <= capacity else { return (false, nil) }
            state.pages.append(page)
            change(&state, by: page.footprint)
            return (true, state.waiters.isEmpty ? nil : state.waiters.removeFirst().continuation)
        }
        waiter?.resume()
        return isAppended
    }

    /// Removes the oldest pages, of at most `bytes` in all, but at least one if there is one.
    public func take(upTo bytes: Int) -> [RequestPage] {
        state.withLock { state in
            var size = 0
            let count = state.pages.prefix { page in
                size += page.footprint
                return size <= bytes || size == page.footprint
            }.count
            let pages = Array(state.pages.prefix(count))
            state.pages.removeFirst(count)
            change(&state, by: -pages.reduce(0) { $0 + $1.footprint })
            return pages
        }
    }

    /// Waits until there is a page, or the queue is closed, or the task is cancelled. A page wakes one caller.
    public func wait() async {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if !state.pages.isEmpty || state.isClosed || Task.isCancelled { return true }
                    state.waiters.append((id, continuation))
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0).continuation }
            }
            waiter?.resume()
        }
    }

    /// Accepts no more pages. Those that wait can still be taken.
    public func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume() }
    }

    private func change(_ state: inout State, by bytes: Int) {
        state.bytes += bytes
        level.store(state.bytes * 8 / capacity, ordering: .relaxed)
    }
}
