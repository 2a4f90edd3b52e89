import Synchronization

/// Receives the postmaster's exit once and passes it to all waiting tasks.
final class ExitWatch: Sendable {
    private struct State {
        var exit: EmbeddedPostgresExit?
        var waiters: [UInt64: CheckedContinuation<EmbeddedPostgresExit?, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())

    /// The exit; `nil` while the postmaster runs.
    var exit: EmbeddedPostgresExit? { state.withLock { $0.exit } }

    /// Reports the exit. Only the first report counts.
    func report(_ exit: EmbeddedPostgresExit) {
        let waiters = state.withLock { state in
            guard state.exit == nil else { return [UInt64: CheckedContinuation<EmbeddedPostgresExit?, Never>]() }
            state.exit = exit
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(returning: exit) }
    }

    /// Waits for the exit; returns `nil` if the calling task is cancelled first.
    func wait() async -> EmbeddedPostgresExit? {
        let number = state.withLock { state in
            defer { state.nextWaiter &+= 1 }
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: EmbeddedPostgresExit?? = state.withLock { state in
                    if let exit = state.exit { return .some(exit) }
                    // The handler of a cancellation before this point found no waiter to resume.
                    if Task.isCancelled { return .some(nil) }
                    state.waiters[number] = continuation
                    return nil
                }
                if let known { continuation.resume(returning: known) }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(returning: nil)
        }
    }
}
