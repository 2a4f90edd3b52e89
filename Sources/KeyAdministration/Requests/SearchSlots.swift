import Synchronization

/// A bounded number of operations at a time.
final class SearchSlots: Sendable {
    /// The right to run one operation. It ends with its last reference.
    final class Slot: Sendable {
        private let slots: SearchSlots

        fileprivate init(_ slots: SearchSlots) {
            self.slots = slots
        }

        deinit { slots.release() }
    }

    private struct State {
        var free: Int
        /// Oldest first.
        var waiters: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
        var lastWaiter: UInt64 = 0
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(free: count))
    }

    /// Returns a slot; nil if none is free.
    func take() -> Slot? {
        let isServed = state.withLock { state in
            guard state.free > 0 else { return false }
            state.free -= 1
            return true
        }
        return isServed ? Slot(self) : nil
    }

    /// Waits for a slot; nil if the task is cancelled. Callers are served in the order of their calls.
    func next() async -> Slot? {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let isServed = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isServed = state.withLock { state in
                    guard state.free == 0 else {
                        state.free -= 1
                        return true
                    }
                    state.waiters.append((id, continuation))
                    return false
                }
                if isServed { continuation.resume(returning: true) }
                // The cancellation handler may have run before the waiter was stored.
                if Task.isCancelled { withdraw(id) }
            }
        } onCancel: {
            withdraw(id)
        }
        return isServed ? Slot(self) : nil
    }

    private func withdraw(_ id: UInt64) {
        let waiter = state.withLock { state in
            state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0).continuation }
        }
        waiter?.resume(returning: false)
    }

    private func release() {
        let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            if !state.waiters.isEmpty { return state.waiters.removeFirst().continuation }
            state.free += 1
            return nil
        }
        waiter?.resume(returning: true)
    }
}
