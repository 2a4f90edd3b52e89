import Synchronization

/// Merges calls that arrive while a statement runs into the next statement: one commit for many callers.
///
/// A caller waits for its own statement and, at most, for the one before it. If a shared statement fails, each of its
/// callers gets the failure. `perform` decides if it concerns all of them.
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
    ///   - limit: the maximum number of items in one statement.
    ///   - concurrency: the maximum number of statements in progress.
    ///   - perform: executes the items and returns an outcome for each, in order.
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
