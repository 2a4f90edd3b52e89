import Synchronization

/// Whether something that begins has begun, for those who wait for it.
final class Startup: Sendable {
    private enum State {
        case pending([AsyncStream<Never>.Continuation])
        case over((any Error)?)
    }

    private let state = Mutex(State.pending([]))

    /// Tells all who wait, and all who come. What is told first counts.
    func end(_ error: (any Error)? = nil) {
        let waiters = state.withLock { state in
            guard case .pending(let waiters) = state else { return [AsyncStream<Never>.Continuation]() }
            state = .over(error)
            return waiters
        }
        for waiter in waiters { waiter.finish() }
    }

    /// Returns once it has begun.
    /// - Throws: why it did not; `CancellationError` when the task is cancelled before.
    func wait() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        state.withLock { state in
            switch state {
            case .pending(let waiters): state = .pending(waiters + [continuation])
            case .over: continuation.finish()
            }
        }
        for await _ in stream {}
        try state.withLock { state in
            switch state {
            case .pending: throw CancellationError()
            case .over(let error?): throw error
            case .over(nil): break
            }
        }
    }
}
