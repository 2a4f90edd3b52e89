import Synchronization

/// A latch on which tasks wait for the end of a startup.
final class Startup: Sendable {
    private enum State {
        case pending([AsyncStream<Never>.Continuation])
        case over((any Error)?)
    }

    private let state = Mutex(State.pending([]))

    /// Ends the startup, with the error if it failed. Resumes all current and future waiters. Later calls have no
    /// effect.
    func end(_ error: (any Error)? = nil) {
        let waiters = state.withLock { state in
            guard case .pending(let waiters) = state else { return [AsyncStream<Never>.Continuation]() }
            state = .over(error)
            return waiters
        }
        for waiter in waiters { waiter.finish() }
    }

    /// Returns when the startup has succeeded.
    /// - Throws: the error of a failed startup; `CancellationError` if the task is cancelled before the end.
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
