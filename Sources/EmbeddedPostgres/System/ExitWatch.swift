import Synchronization

/// Receives the postmaster's exit once and passes it to all waiting tasks. `Startup` of KeywardMiddleware works alike,
/// but neither target imports the other.
final class ExitWatch: Sendable {
    private struct State {
        var exit: EmbeddedPostgresExit?
        var waiters: [AsyncStream<Never>.Continuation] = []
    }

    private let state = Mutex(State())

    /// The exit; `nil` while the postmaster runs.
    var exit: EmbeddedPostgresExit? { state.withLock { $0.exit } }

    /// Reports the exit. Only the first report counts.
    func report(_ exit: EmbeddedPostgresExit) {
        let waiters = state.withLock { state in
            state.exit = state.exit ?? exit
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.finish() }
    }

    /// Waits for the exit; returns `nil` if the calling task is cancelled first.
    func wait() async -> EmbeddedPostgresExit? {
        let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
        state.withLock { state in
            if state.exit == nil { state.waiters.append(continuation) } else { continuation.finish() }
        }
        for await _ in stream {}
        return exit
    }
}
