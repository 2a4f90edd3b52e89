import Synchronization

/// Wakes the task that exchanges units. Wakes before the task runs are merged into one.
final class LimitWakes: Sendable {
    let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let isAwake = Atomic(false)

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Costs one exchange of a flag, unless the task sleeps.
    func wake() {
        if !isAwake.exchange(true, ordering: .acquiringAndReleasing) { continuation.yield() }
    }

    /// Must be called before the task looks for work, so that no wake is lost.
    func accept() { isAwake.store(false, ordering: .sequentiallyConsistent) }
}
