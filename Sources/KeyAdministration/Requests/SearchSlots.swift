import Synchronization

/// A bounded number of operations at a time, of which each holder has at most a share.
final class SearchSlots: Sendable {
    /// The cause of operations, for shares.
    enum Holder: Hashable {
        /// An admin: the stored form of its actor.
        case admin(String)
        /// Exports and tails, which wait for their turn.
        case background
    }

    /// The reason why an operation cannot begin.
    enum Refusal: Error {
        /// As many run as may run at a time.
        case full
        /// The holder has its share.
        case share
    }

    /// The right to run one operation. It ends with its last reference.
    final class Slot: Sendable {
        private let slots: SearchSlots
        private let holder: Holder?

        fileprivate init(_ slots: SearchSlots, _ holder: Holder?) {
            self.slots = slots
            self.holder = holder
        }

        deinit { slots.release(holder) }
    }

    private struct State {
        var free: Int
        var held: [Holder: Int] = [:]
        /// Oldest first.
        var waiters: [(id: UInt64, continuation: CheckedContinuation<Bool, Never>)] = []
        var lastWaiter: UInt64 = 0
    }

    /// The maximum number of operations of one holder.
    let share: Int
    private let state: Mutex<State>

    /// - Parameter count: the maximum number of operations. A holder has at most half of them.
    init(_ count: Int) {
        share = max(1, count / 2)
        state = Mutex(State(free: count))
    }

    /// The number of callers that wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// Returns a slot at once.
    /// - Parameter holder: nil for an operation without a share.
    func take(for holder: Holder? = nil) throws(Refusal) -> Slot {
        let refusal = state.withLock { take(for: holder, &$0) }
        if let refusal { throw refusal }
        return Slot(self, holder)
    }

    /// Waits for a slot of the background; nil if the task is cancelled. Callers are served in the order of their
    /// calls. Because of their share, they leave slots to callers that do not wait.
    func next() async -> Slot? {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let isServed = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isServed = state.withLock { state in
                    if take(for: .background, &state) == nil { return true }
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
        return isServed ? Slot(self, .background) : nil
    }

    private func take(for holder: Holder?, _ state: inout State) -> Refusal? {
        if let holder, state.held[holder, default: 0] >= share { return .share }
        guard state.free > 0 else { return .full }
        state.free -= 1
        if let holder { state.held[holder, default: 0] += 1 }
        return nil
    }

    private func withdraw(_ id: UInt64) {
        let waiter = state.withLock { state in
            state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0).continuation }
        }
        waiter?.resume(returning: false)
    }

    private func release(_ holder: Holder?) {
        let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            state.free += 1
            if let holder, let held = state.held[holder] { state.held[holder] = held > 1 ? held - 1 : nil }
            guard !state.waiters.isEmpty, take(for: .background, &state) == nil else { return nil }
            return state.waiters.removeFirst().continuation
        }
        waiter?.resume(returning: true)
    }
}
