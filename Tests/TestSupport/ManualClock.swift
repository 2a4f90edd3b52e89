public import AuthKeys
import Synchronization

/// A clock that a test advances. A sleeping task wakes once the clock has reached its deadline.
public final class ManualClock: Sendable {
    private struct State {
        var uptime = Duration.zero
        var sleepers: [(until: Duration, continuation: CheckedContinuation<Void, any Error>)] = []
    }

    private let state = Mutex(State())
    private static let start = Timestamp(microseconds: 1_800_000_000_000_000)

    public init() {}

    public var source: TimeSource {
        TimeSource(
            now: { Self.start.advanced(by: self.state.withLock { $0.uptime }) },
            uptime: { self.state.withLock { $0.uptime } },
            sleep: { duration in try await self.sleep(duration) })
    }

    /// The number of sleeping tasks.
    public var sleepers: Int { state.withLock { $0.sleepers.count } }

    public func advance(by duration: Duration) {
        let woken = state.withLock { state in
            state.uptime += duration
            let woken = state.sleepers.filter { $0.until <= state.uptime }
            state.sleepers.removeAll { $0.until <= state.uptime }
            return woken
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }

    private func sleep(_ duration: Duration) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let now = state.withLock { state in
                    if Task.isCancelled { return true }
                    state.sleepers.append((state.uptime + duration, continuation))
                    return false
                }
                if now { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let woken = state.withLock { state in
                defer { state.sleepers = [] }
                return state.sleepers
            }
            for sleeper in woken { sleeper.continuation.resume(throwing: CancellationError()) }
        }
    }
}
