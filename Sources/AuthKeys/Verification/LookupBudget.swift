/// Which unknown digests are worth a statement: the decisions of `UnknownKeyLookup`, without its waiting.
///
/// One statement asks for many digests, and one is under way at a time. Statements are paid from a budget that fills by one a
/// second; a statement that finds something costs nothing. So a key made elsewhere is found at once, however many are made,
/// while a flood of junk soon comes down to one statement a second. What was just found absent is remembered for a second.
struct LookupBudget {
    enum Decision: Equatable {
        /// Not there, as a statement found a moment ago.
        case absent
        /// The budget is used up: the next read of the changes will tell.
        case exhausted
        /// Wait for the statement that will ask for it.
        case wait
        /// Ask for these now.
        case ask([SecretDigest])
    }

    static let burst = 20
    static let batchLimit = 1_000
    static let absentLimit = 10_000
    static let absentFor = Duration.seconds(1)

    private var tokens = Double(burst)
    private var refilledAt: Duration
    private var asking: Set<SecretDigest> = []
    private var pending: Set<SecretDigest> = []
    private var absent: Set<SecretDigest> = []
    private var absentSince: Duration

    init(now: Duration) {
        refilledAt = now
        absentSince = now
    }

    mutating func request(_ digest: SecretDigest, now: Duration) -> Decision {
        refill(now)
        if asking.contains(digest) || pending.contains(digest) { return .wait }
        if absent.contains(digest) { return .absent }
        if asking.isEmpty {
            guard tokens >= 1 else { return .exhausted }
            asking = [digest]
            tokens -= 1
            return .ask([digest])
        }
        guard pending.count < Self.batchLimit, tokens >= 1 else { return .exhausted }
        pending.insert(digest)
        return .wait
    }

    /// The statement ended, with what it found (nil: it failed). Says which to ask for next, and which of those that waited
    /// are given up for want of budget.
    mutating func answered(
        found: Set<SecretDigest>?, now: Duration
    ) -> (ask: [SecretDigest], giveUp: [SecretDigest]) {
        refill(now)
        if let found {
            if !found.isEmpty { tokens = min(tokens + 1, Double(Self.burst)) }
            for digest in asking where !found.contains(digest) && absent.count < Self.absentLimit {
                absent.insert(digest)
            }
        }
        asking = []
        guard !pending.isEmpty else { return ([], []) }
        let waiting = Array(pending)
        pending = []
        guard tokens >= 1 else { return ([], waiting) }
        tokens -= 1
        asking = Set(waiting)
        return (waiting, [])
    }

    private mutating func refill(_ now: Duration) {
        let elapsed = now - refilledAt
        tokens = min(tokens + elapsed / .seconds(1), Double(Self.burst))
        refilledAt = now
        if now - absentSince >= Self.absentFor {
            absent.removeAll(keepingCapacity: absent.count < 1_000)
            absentSince = now
        }
    }
}
