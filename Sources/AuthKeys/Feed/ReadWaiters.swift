import Synchronization

/// Lets callers wait for the next periodic read of the database. That read begins after the call, and so sees all
/// earlier commits.
public final class ReadWaiters: Sendable {
    /// The result of a wait.
    package enum Outcome: Sendable, Equatable {
        /// A read that began after the call succeeded.
        case worked
        /// The read failed or timed out, or too many callers were waiting already.
        case failed
    }

    private struct Waiter {
        /// The number of the read that must end.
        let read: UInt64
        let deadline: Duration
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        /// Nil before the first follower.
        var isFollowed: Bool?
        /// The number of the newest read that began.
        var begun: UInt64 = 0
        var waiters: [Waiter] = []
    }

    /// The maximum wait for a read.
    package static let timeout = Duration.seconds(2)
    /// The maximum number of waiting callers.
    private static let limit = 10_000

    private let time: TimeSource
    private let state = Mutex(State())

    public init(time: TimeSource = .system) {
        self.time = time
    }

    /// Waits for the next read. Returns at once if nothing reads periodically.
    /// - Parameter timeout: the maximum wait, which ends at the next `expire` after it.
    package func next(within timeout: Duration = ReadWaiters.timeout) async -> Outcome {
        await withCheckedContinuation { continuation in
            let now = time.uptime()
            let outcome: Outcome? = state.withLock { state in
                guard let isFollowed = state.isFollowed else { return .worked }
                guard isFollowed, state.waiters.count < Self.limit else { return .failed }
                state.waiters.append(
                    Waiter(read: state.begun + 1, deadline: now + timeout, continuation: continuation))
                return nil
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }

    /// Records that the periodic reads begin or end. When they end, all waits end.
    package func follow(_ isFollowed: Bool) {
        state.withLock { $0.isFollowed = isFollowed }
        if !isFollowed { resume(returning: .failed) { _ in true } }
    }

    /// Begins a read and returns its number.
    package func begin() -> UInt64 {
        state.withLock { state in
            state.begun += 1
            return state.begun
        }
    }

    /// Ends a read.
    package func end(_ read: UInt64, worked: Bool) {
        resume(returning: worked ? .worked : .failed) { $0.read <= read }
    }

    /// Ends the waits that have timed out. Must be called several times a second.
    package func expire() {
        let now = time.uptime()
        resume(returning: .failed) { $0.deadline <= now }
    }

    private func resume(returning outcome: Outcome, where matches: (Waiter) -> Bool) {
        let ended = state.withLock { state in
            if state.waiters.isEmpty { return [Waiter]() }
            let ended = state.waiters.filter(matches)
            state.waiters.removeAll(where: matches)
            return ended
        }
        for waiter in ended { waiter.continuation.resume(returning: outcome) }
    }
}
