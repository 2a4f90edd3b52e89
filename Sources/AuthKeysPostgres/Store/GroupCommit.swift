import Synchronization

/// Lets whoever comes while a statement is under way share the next one: one commit for many callers.
///
/// What a single caller waits is its own statement and, at most, the one before it. If a shared statement fails, each of its
/// callers gets the failure; whether it concerns all of them is for `perform` to find out.
final class GroupCommit<Item: Sendable, Output: Sendable>: Sendable {
    typealias Outcome = Result<Output, any Error>

    private struct State {
        var pending: [(item: Item, waiter: CheckedContinuation<Outcome, Never>)] = []
        var running = 0
    }

    private let state = Mutex(State())
    private let limit: Int
    private let concurrency: Int
    private let perform: @Sendable ([Item]) async -> [Outcome]

    /// - Parameters:
    ///   - limit: items in one statement at most.
    ///   - concurrency: statements under way at most.
    ///   - perform: carries the items out and returns an outcome for each, in order.
    init(limit: Int, concurrency: Int, perform: @escaping @Sendable ([Item]) async -> [Outcome]) {
        self.limit = limit
        self.concurrency = concurrency
        self.perform = perform
    }

    func submit(_ item: Item) async throws -> Output {
        let outcome = await withCheckedContinuation { (waiter: CheckedContinuation<Outcome, Never>) in
            let starts = state.withLock { state in
                state.pending.append((item, waiter))
                guard state.running < concurrency else { return false }
                state.running += 1
                return true
            }
            if starts { Task { await self.run() } }
        }
        return try outcome.get()
    }

    private func run() async {
        while true {
            let batch = state.withLock { state in
                let batch = Array(state.pending.prefix(limit))
                state.pending.removeFirst(batch.count)
                if batch.isEmpty { state.running -= 1 }
                return batch
            }
            if batch.isEmpty { return }
            let outcomes = await perform(batch.map(\.item))
            for (entry, outcome) in zip(batch, outcomes) { entry.waiter.resume(returning: outcome) }
        }
    }
}
