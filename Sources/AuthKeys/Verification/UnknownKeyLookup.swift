import Metrics
import Synchronization

/// Looks up well-formed tokens that the index does not hold, so that a key made on one instance works at once on all.
public final class UnknownKeyLookup: Sendable {
    /// What a look-up came to.
    public enum Answer: Sendable, Equatable {
        /// The index holds the digest now.
        case found
        /// There is no such key, as far as the budget let us look.
        case absent
        /// The database could not be asked.
        case unavailable
    }

    private struct State {
        var budget: LookupBudget
        var waiters: [SecretDigest: [CheckedContinuation<Answer, Never>]] = [:]
    }

    private let store: any KeyFinder
    private let index: KeyIndex
    private let time: TimeSource
    private let state: Mutex<State>
    private let statements = Counter(label: "keyward_unknown_key_statements_total")

    public init(store: any KeyFinder, index: KeyIndex, time: TimeSource = .system) {
        self.store = store
        self.index = index
        self.time = time
        state = Mutex(State(budget: LookupBudget(now: time.uptime())))
    }

    /// Asks the database for a digest, or waits for the answer that somebody else gets.
    public func resolve(_ digest: SecretDigest) async -> Answer {
        let answer = await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
            let decision = state.withLock { state in
                let decision = state.budget.request(digest, now: time.uptime())
                if decision != .absent { state.waiters[digest, default: []].append(continuation) }
                return decision
            }
            switch decision {
            case .absent: continuation.resume(returning: .absent)
            case .wait: break
            case .ask(let digests): Task { await self.run(digests) }
            }
        }
        return index.withKey(for: digest) { _ in .found } ?? answer
    }

    private func run(_ first: [SecretDigest]) async {
        var asking = first
        while !asking.isEmpty {
            statements.increment()
            let found = await ask(for: asking)
            let asked = asking
            var waiters: [CheckedContinuation<Answer, Never>] = []
            asking = state.withLock { state in
                let next = state.budget.answered(found: found, now: time.uptime())
                for digest in asked + next.giveUp { waiters += state.waiters.removeValue(forKey: digest) ?? [] }
                return next.ask
            }
            for waiter in waiters { waiter.resume(returning: found == nil ? .unavailable : .absent) }
        }
    }

    /// The digests that exist; nil if the database could not be asked.
    private func ask(for digests: [SecretDigest]) async -> Set<SecretDigest>? {
        guard let entries = try? await store.find(digests) else { return nil }
        for entry in entries { index.apply(entry) }
        return Set(entries.map(\.digest))
    }
}
