public import AuthKeys
import Synchronization

/// An in-memory fake of `LimitStore`, with the clock of a test as the database's.
public final class InMemoryLimits: LimitStore {
    /// The credits of a key.
    public struct Credits: Sendable, Equatable {
        public var remaining: Int64
        public var spent: Int64 = 0
        /// The credits that each refill sets.
        public var refill: Int64?
        /// The seconds of the next refill.
        public var refillAt: Double?

        public init(remaining: Int64, refill: Int64? = nil, refillAt: Double? = nil) {
            self.remaining = remaining
            self.refill = refill
            self.refillAt = refillAt
        }
    }

    private struct Slots {
        var count: Int64
        var at: Double
    }

    private struct State {
        var rows: [LimitID: LimitRow] = [:]
        var credits: [KeyID: Credits] = [:]
        var slots: [LimitID: [KeyID: Slots]] = [:]
        var definitions = LimitDefinitions()
        var failure: StoreError?
        var questions: [[LimitQuestion]] = []
        var isHeld = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// The time after which slots that were not renewed are void.
    private static let slotTime = 10.0

    private let time: TimeSource
    private let state = Mutex(State())

    public init(time: TimeSource = .system) {
        self.time = time
    }

    private var now: Double { time.uptime() / .seconds(1) }

    /// The failure of all calls; nil for none.
    public var failure: StoreError? {
        get { state.withLock { $0.failure } }
        set { state.withLock { $0.failure = newValue } }
    }

    public var current: LimitDefinitions {
        get { state.withLock { $0.definitions } }
        set { state.withLock { $0.definitions = newValue } }
    }

    /// The statements so far.
    public var statements: [[LimitQuestion]] { state.withLock { $0.questions } }

    /// The units taken from all limits.
    public var levels: [LimitID: Double] { state.withLock { $0.rows.mapValues(\.level) } }

    /// The slots of all instances.
    public var slots: [LimitID: Int64] {
        state.withLock { $0.slots.mapValues { $0.values.reduce(0) { $0 + $1.count } } }
    }

    /// Loses all levels, as a crash of the database does.
    public func removeRows() { state.withLock { $0.rows = [:] } }

    /// Gives all units of a limit back, as a reset by an admin does.
    public func reset(_ id: LimitID) { state.withLock { $0.rows[id]?.reset() } }

    public subscript(credits key: KeyID) -> Credits? {
        get { state.withLock { $0.credits[key] } }
        set { state.withLock { $0.credits[key] = newValue } }
    }

    /// While true, calls do not return.
    public func hold(_ isHeld: Bool) {
        let waiting = state.withLock { state in
            state.isHeld = isHeld
            defer { if !isHeld { state.waiting = [] } }
            return isHeld ? [] : state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    private func attempt<R: Sendable>(_ body: (inout State) -> R) async throws(StoreError) -> R {
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.isHeld { state.waiting.append(continuation) }
                return state.isHeld
            }
            if !isHeld { continuation.resume() }
        }
        let result: Result<R, StoreError> = state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            return .success(body(&state))
        }
        return try result.get()
    }

    public func settle(_ questions: [LimitQuestion]) async throws(StoreError) -> [LimitAnswer] {
        precondition(questions.count <= LimitQuestion.countLimit)
        precondition(questions.map(\.id) == questions.map(\.id).sorted())
        let now = now
        return try await attempt { state in
            state.questions.append(questions)
            return questions.compactMap { question in
                guard var row = state.rows[question.id] ?? (question.isKnown ? nil : LimitRow(at: now)) else {
                    return nil
                }
                // All periods are of equal length here, and begin with the clock.
                let period = question.period.map { period in
                    let length = question.burst / question.rate
                    let start = (now / length).rounded(.down) * length
                    return start..<start + length
                }
                let answer = row.settle(question, in: period, at: now)
                state.rows[question.id] = row
                return answer
            }
        }
    }

    public func leaseCredits(_ questions: [CreditQuestion]) async throws(StoreError) -> [CreditAnswer] {
        let now = now
        return try await attempt { state in
            questions.compactMap { question in
                guard var row = state.credits[question.key] else { return nil }
                if let at = row.refillAt, let amount = row.refill, now >= at {
                    (row.remaining, row.refillAt) = (amount, nil)
                }
                row.remaining -= question.debit
                let share = max(Int64(Double(row.remaining) * question.share), 1)
                let bound = max(question.needed, min(share, max(row.remaining / 100, 1_000)))
                let most = min(bound, max(0, row.remaining))
                let granted = question.want < 0 ? question.want : min(question.want, most)
                row.remaining -= granted
                row.spent += question.debit + granted
                state.credits[question.key] = row
                return CreditAnswer(
                    key: question.key, granted: granted, remaining: row.remaining,
                    refillsIn: row.refillAt.map { $0 - now })
            }
        }
    }

    public func renewSlots(
        _ questions: [SlotQuestion], of instance: KeyID
    ) async throws(StoreError) -> [SlotAnswer] {
        let now = now
        return try await attempt { state in
            questions.map { question in
                var rows = state.slots[question.id, default: [:]].filter { now - $0.value.at < Self.slotTime }
                let others = rows.filter { $0.key != instance }.values.reduce(0) { $0 + $1.count }
                let granted = max(0, min(question.want, question.limit - others))
                rows[instance] = granted > 0 ? Slots(count: granted, at: now) : nil
                state.slots[question.id] = rows
                return SlotAnswer(id: question.id, granted: granted, others: others)
            }
        }
    }

    public func definitions(unless known: KeyID?) async throws(StoreError) -> LimitDefinitions? {
        try await attempt { $0.definitions }
    }

    public func prune() async throws(StoreError) {}
}
