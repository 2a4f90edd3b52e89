/// Decides which unknown digests are looked up: the logic of `UnknownKeyLookup`, without its waiting.
///
/// One statement looks up many digests, and one statement runs at a time. Statements consume a budget that refills by
/// one a second; a statement that finds something is free. So keys that were created elsewhere are found at once,
/// however many there are. A flood of invalid tokens is limited to one statement a second. Absent digests are
/// remembered for a second.
struct LookupBudget {
    enum Decision: Equatable {
        /// A statement found a moment ago that the digest is absent.
        case absent
        /// The budget is used up: the next read of the changes decides.
        case exhausted
        /// Wait for the statement that will look it up.
        case wait
        /// Look these digests up now.
        case ask([SecretDigest])
    }

    static let burst = 20
    static let batchLimit = 1_000
    static let absentLimit = 10_000
    static let absentFor = Duration.seconds(1)

    private var statements: TokenBucket
    private var asking: Set<SecretDigest> = []
    private var pending: Set<SecretDigest> = []
    private var absent: Set<SecretDigest> = []
    private var absentSince: Duration

    init(now: Duration) {
        statements = TokenBucket(perSecond: 1, burst: Self.burst, now: now)
        absentSince = now
    }

    mutating func request(_ digest: SecretDigest, now: Duration) -> Decision {
        forget(now)
        if asking.contains(digest) || pending.contains(digest) { return .wait }
        if absent.contains(digest) { return .absent }
        if asking.isEmpty {
            guard statements.take(now: now) else { return .exhausted }
            asking = [digest]
            return .ask([digest])
        }
        guard pending.count < Self.batchLimit, statements.has(now: now) else { return .exhausted }
        pending.insert(digest)
        return .wait
    }

    /// Records the result of a statement: the digests found, or nil if it failed. Returns the digests to look up next,
    /// and the waiting ones that the budget does not cover.
    mutating func answered(
        found: Set<SecretDigest>?, now: Duration
    ) -> (ask: [SecretDigest], giveUp: [SecretDigest]) {
        forget(now)
        if let found {
            if !found.isEmpty { statements.add(1) }
            for digest in asking where !found.contains(digest) && absent.count < Self.absentLimit {
                absent.insert(digest)
            }
        }
        asking = []
        guard !pending.isEmpty else { return ([], []) }
        let waiting = Array(pending)
        pending = []
        guard statements.take(now: now) else { return ([], waiting) }
        asking = Set(waiting)
        return (waiting, [])
    }

    private mutating func forget(_ now: Duration) {
        guard now - absentSince >= Self.absentFor else { return }
        absent.removeAll(keepingCapacity: absent.count < 1_000)
        absentSince = now
    }
}
