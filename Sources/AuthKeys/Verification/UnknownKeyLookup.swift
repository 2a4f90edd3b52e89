import Metrics
import Synchronization

/// Looks up well-formed tokens that the index lacks, so that a key created on one instance works at once on all.
public final class UnknownKeyLookup: Sendable {
    /// The result of a lookup.
    public enum Answer: Sendable, Equatable {
        /// The index now has the digest.
        case found
        /// No such key exists.
        case absent
        /// The database could not be queried.
        case unavailable
    }

    /// The result of a lookup in the database.
    private enum Statement {
        case absent
        /// The budget did not cover a statement.
        case notAsked
        case failed
    }

    private struct State {
        var budget: LookupBudget
        var waiters: [SecretDigest: [CheckedContinuation<Statement, Never>]] = [:]
    }

    private let store: any KeyFinder
    private let index: KeyIndex
    private let reads: ReadWaiters
    private let time: TimeSource
    private let state: Mutex<State>
    private let statements = Counter(label: "keyward_unknown_key_statements_total")

    /// - Parameter reads: the follower's reads; a lookup that the budget does not cover waits for the next one.
    public init(
        store: any KeyFinder, index: KeyIndex, reads: ReadWaiters = ReadWaiters(), time: TimeSource = .system
    ) {
        self.store = store
        self.index = index
        self.reads = reads
        self.time = time
        state = Mutex(State(budget: LookupBudget(now: time.uptime())))
    }

    /// Queries the database for a digest, shares the statement of another caller, or waits for the next read of the
    /// changes.
    public func resolve(_ digest: SecretDigest) async -> Answer {
        let statement = await ask(for: digest)
        if index.holds(digest) { return .found }
        switch statement {
        case .absent: return .absent
        case .failed: return .unavailable
        case .notAsked:
            let outcome = await reads.next()
            return index.holds(digest) ? .found : outcome == .worked ? .absent : .unavailable
        }
    }

    private func ask(for digest: SecretDigest) async -> Statement {
        await withCheckedContinuation { (continuation: CheckedContinuation<Statement, Never>) in
            let decision = state.withLock { state in
                let decision = state.budget.request(digest, now: time.uptime())
                switch decision {
                case .wait, .ask: state.waiters[digest, default: []].append(continuation)
                case .absent, .exhausted: break
                }
                return decision
            }
            switch decision {
            case .absent: continuation.resume(returning: .absent)
            case .exhausted: continuation.resume(returning: .notAsked)
            case .wait: break
            case .ask(let digests): Task { await self.run(digests) }
            }
        }
    }

    private func run(_ first: [SecretDigest]) async {
        var asking = first
        while !asking.isEmpty {
            statements.increment()
            let found = await ask(for: asking)
            let asked = asking
            var (answered, left) = (
                [CheckedContinuation<Statement, Never>](), [CheckedContinuation<Statement, Never>]()
            )
            asking = state.withLock { state in
                let next = state.budget.answered(found: found, now: time.uptime())
                for digest in asked { answered += state.waiters.removeValue(forKey: digest) ?? [] }
                for digest in next.giveUp { left += state.waiters.removeValue(forKey: digest) ?? [] }
                return next.ask
            }
            for waiter in answered { waiter.resume(returning: found == nil ? .failed : .absent) }
            for waiter in left { waiter.resume(returning: .notAsked) }
        }
    }

    /// Returns the digests that exist; nil if the database could not be queried.
    private func ask(for digests: [SecretDigest]) async -> Set<SecretDigest>? {
        guard let entries = try? await store.find(digests) else { return nil }
        for entry in entries { index.apply(entry) }
        return Set(entries.map(\.digest))
    }
}
