import Synchronization

/// The cells of one kind, in shards with a lock each. It lists the cells that have a question.
///
/// Access to a cell that exists allocates nothing.
final class CellShards<Cell: SharedCell>: Sendable {
    static var shardCount: Int { 64 }
    /// A cell whose question is due later is found by `sweep`.
    private static var listingTime: Double { 0.25 }

    private struct State: ~Copyable, Sendable {
        var table = CellTable<Cell>()
        /// The cells that are to ask. Its capacity is that of the table, so that it never grows on access to a cell.
        var listed: [LimitID] = []
    }

    private final class Shard: Sendable {
        let state = Mutex(State())
    }

    /// A cell whose question is due.
    struct Due: Sendable {
        let id: LimitID
        let urgency: Double
        let since: Double
    }

    private let shards: [Shard]
    private let shardLimit: Int
    private let wake: @Sendable () -> Void

    /// - Parameters:
    ///   - limit: the maximum number of cells.
    ///   - wake: called when a cell was listed.
    init(limit: Int, wake: @escaping @Sendable () -> Void) {
        shards = (0..<Self.shardCount).map { _ in Shard() }
        shardLimit = max(1, limit / Self.shardCount)
        self.wake = wake
    }

    var count: Int { shards.reduce(0) { sum, shard in sum + shard.state.withLock { $0.table.count } } }

    /// The identifier of a cell; nil if there is none.
    var any: LimitID? {
        for shard in shards {
            if let id = shard.state.withLock({ $0.table.first }) { return id }
        }
        return nil
    }

    @inline(__always)
    private func shard(of id: LimitID) -> Shard {
        shards[Int(truncatingIfNeeded: CellTable<Cell>.hash(id) >> 58)]
    }

    /// Calls `body` with a cell at the present. Returns nil if it does not exist, and the table is full.
    /// - Parameter create: the cell if it does not exist yet.
    @inline(__always)
    func withCell<R>(
        _ id: LimitID, at now: Double, in circumstances: LimitCircumstances, orCreate create: @autoclosure () -> Cell,
        _ body: (inout Cell) -> R
    ) -> R? {
        var result: R?
        let wakes = shard(of: id).state.withLock { state in
            guard let cell = state.table.find(id) ?? add(create, to: &state) else { return false }
            cell.pointee.refresh(at: now, in: circumstances)
            result = body(&cell.pointee)
            guard !cell.pointee.isListed else { return false }
            let moment = cell.pointee.asksAt(in: circumstances)
            // The client of a refused request returns as soon as the cell can have asked.
            let isUrgent = cell.pointee.urgency >= 2 && moment < .infinity
            guard isUrgent || moment <= now + Self.listingTime else { return false }
            cell.pointee.isListed = true
            state.listed.append(id)
            return true
        }
        if wakes { wake() }
        return result
    }

    @inline(never)
    private func add(_ create: () -> Cell, to state: inout State) -> UnsafeMutablePointer<Cell>? {
        guard state.table.count < shardLimit else { return nil }
        let cell = state.table.insert(create())
        state.listed.reserveCapacity(state.table.slots)
        return cell
    }

    /// Calls `body` with a cell if it exists.
    @inline(__always)
    func withExistingCell<R>(_ id: LimitID, _ body: (inout Cell) -> R) -> R? {
        var result: R?
        shard(of: id).state.withLock { state in
            if let cell = state.table.find(id) { result = body(&cell.pointee) }
        }
        return result
    }

    // MARK: - Questions

    /// Removes the cells that are due from the list, and returns them.
    /// - Returns: also the moment at which the next listed cell is due; infinite if none is listed.
    func collect(at now: Double, in circumstances: LimitCircumstances) -> (due: [Due], next: Double) {
        var (due, next): ([Due], Double) = ([], .infinity)
        for shard in shards {
            shard.state.withLock { state in
                guard !state.listed.isEmpty else { return }
                state.listed.removeAll { id in
                    guard let cell = state.table.find(id) else { return true }
                    cell.pointee.refresh(at: now, in: circumstances)
                    let moment = cell.pointee.asksAt(in: circumstances)
                    if moment > now, moment < .infinity {
                        next = min(next, moment)
                        return false
                    }
                    cell.pointee.isListed = false
                    if moment <= now { due.append(Due(id: id, urgency: cell.pointee.urgency, since: moment)) }
                    return true
                }
            }
        }
        return (due, next)
    }

    /// Lists cells again whose turn has not come.
    func list(_ due: some Sequence<Due>) {
        for due in due {
            shard(of: due.id).state.withLock { state in
                guard let cell = state.table.find(due.id), !cell.pointee.isListed else { return }
                cell.pointee.isListed = true
                state.listed.append(due.id)
            }
        }
    }

    /// Begins the questions of cells.
    func questions(
        of due: some Sequence<Due>, at now: Double, in circumstances: LimitCircumstances
    ) -> [Cell.Question] {
        due.compactMap { due in withExistingCell(due.id) { $0.question(at: now, in: circumstances) } }
    }

    /// Ends the questions of cells without an answer.
    func fail(_ ids: some Sequence<LimitID>, _ failure: QuestionFailure) {
        for id in ids { _ = withExistingCell(id) { $0.fail(failure) } }
    }

    /// Removes cells of the shard of an identifier, to make room for its cell.
    func makeRoom(for id: LimitID, removing isExpendable: (Cell) -> Bool) {
        shard(of: id).state.withLock { state in state.table.removeAll { isExpendable($0) } }
    }

    /// Visits a part of the shards: lists the cells that are due, and removes those that a new cell would equal.
    /// - Parameter turn: the number of the call; four calls visit all shards.
    func sweep(turn: Int, at now: Double, in circumstances: LimitCircumstances) {
        for number in shards.indices where number % 4 == turn % 4 {
            shards[number].state.withLock { state in
                var listed: [LimitID] = []
                state.table.removeAll { cell in
                    cell.refresh(at: now, in: circumstances)
                    if cell.isForgettable(at: now, in: circumstances) { return true }
                    if !cell.isListed, cell.asksAt(in: circumstances) <= now {
                        cell.isListed = true
                        listed.append(cell.id)
                    }
                    return false
                }
                state.listed += listed
            }
        }
    }

    /// Returns the questions that give everything back.
    func finalQuestions(at now: Double, in circumstances: LimitCircumstances) -> [Cell.Question] {
        var questions: [Cell.Question] = []
        for shard in shards {
            shard.state.withLock { state in
                state.table.removeAll { cell in
                    cell.refresh(at: now, in: circumstances)
                    if let question = cell.finalQuestion(at: now, in: circumstances) { questions.append(question) }
                    return false
                }
            }
        }
        return questions
    }
}
