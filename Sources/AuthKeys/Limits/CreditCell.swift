import Glibc

/// The credits of one key in one instance. Credits are leased, and so debited, before they are spent. All moments are
/// seconds of the instance's uptime.
struct CreditCell: SharedCell {
    /// The time after which unused credits are given back.
    private static let hold = 5.0
    /// The time constant with which demand leaks, and the time for which a lease lasts at the present demand.
    private static let (tau, horizon) = (5.0, 2.0)
    /// The credits that requests may wait for at once, unless one request alone needs more.
    private static let waitingLimit: Int64 = 1_000
    /// The minimum time between two questions, and after one that was not satisfied.
    private static let (gap, poorGap) = (0.02, 1.0)

    let id: LimitID
    private let key: KeyID
    /// The version of the key's entry. A change of its credits raises it.
    private var version: UInt32
    /// Credits that the row has debited already.
    private(set) var lease: Int64 = 0
    /// Credits that were spent beyond the lease and not reported yet.
    private(set) var debt: Int64 = 0
    private var sentDebt: Int64 = 0
    /// Leased credits that the question under way gives back.
    private var givenBack: Int64 = 0
    private var asked = 0.0
    private var demand = 0.0
    private var demandAt: Double
    private var refusedCost: Int64 = 0
    /// The credits of the requests that wait for the next answer.
    private var waiting: Int64 = 0
    /// The credits in the row at the last answer.
    private(set) var remaining: Int64 = 0
    private var refillAt = Double.infinity
    private var leaseAtAnswer: Int64 = 0
    private var sentWant: Int64 = 0
    private var sentAt = -Double.infinity
    private var expires: Double
    /// True after an answer about the present entry of the key and the present refill.
    private(set) var isKnown = false
    /// True if a request was admitted before the first answer.
    private var hasTrusted = false
    private var isAsking = false
    /// True if the entry of the key changed while a question was under way.
    private var hasChangedWhileAsking = false
    var isListed = false

    /// - Parameter isTrusted: false if the first request has to wait for its credits.
    init(key: KeyID, version: UInt32, isTrusted: Bool = true, at now: Double) {
        hasTrusted = !isTrusted
        id = LimitID(key)
        self.key = key
        self.version = version
        demandAt = now
        expires = now + Self.hold
    }

    mutating func refresh(at now: Double, in circumstances: LimitCircumstances) {
        guard now >= refillAt else { return }
        refillAt = .infinity
        isKnown = false
        hasTrusted = false
    }

    /// Learns the version of the key's entry. After a change, the balance is unknown.
    mutating func accept(version: UInt32) {
        guard version != self.version else { return }
        self.version = version
        hasChangedWhileAsking = isAsking
        isKnown = false
        hasTrusted = false
        sentAt = -.infinity
    }

    /// Takes credits. Returns false, and takes none, if they are not leased.
    mutating func take(_ cost: Int64, trusting firstUse: LimitOptions.FirstUse, in circumstances: LimitCircumstances)
        -> Bool
    {
        asked += Double(cost)
        if lease >= cost {
            lease -= cost
            return true
        }
        if !isKnown, !hasTrusted, firstUse == .trust {
            hasTrusted = true
            debt += cost
            return true
        }
        if circumstances.away == .open {
            debt += cost
            return true
        }
        refusedCost = max(refusedCost, cost)
        return false
    }

    /// Returns true if a request of this cost would be admitted.
    func fits(_ cost: Int64, trusting firstUse: LimitOptions.FirstUse, in circumstances: LimitCircumstances) -> Bool {
        if lease >= cost || circumstances.away == .open { return true }
        return isKnown ? remaining >= cost : !hasTrusted && firstUse == .trust
    }

    /// Gives back what a request took that another limit refused.
    mutating func giveBack(_ cost: Int64) {
        asked = max(0, asked - Double(cost))
        refund(cost)
    }

    /// Takes credits that a request cost beyond those that it took, even if they are not leased. The row then may owe
    /// them.
    mutating func charge(_ cost: Int64) {
        asked += Double(cost)
        let leased = min(lease, cost)
        lease -= leased
        debt += cost - leased
    }

    /// Gives back credits that a request did not need. They are leased ones if they were reported.
    mutating func refund(_ cost: Int64) {
        let owed = min(debt, cost)
        debt -= owed
        lease += cost - owed
    }

    /// Returns true if a question may lease this many credits, as far as the instance knows.
    func mayLease(_ cost: Int64) -> Bool { !isKnown || remaining >= cost }

    /// Decides if a request that was refused waits for the next answer. As many wait as a lease may serve, so that a
    /// flood does not.
    mutating func beginWait(for cost: Int64) -> Bool {
        guard mayLease(cost), waiting == 0 || waiting + cost <= Self.waitingLimit else { return false }
        waiting += cost
        return true
    }

    /// True if requests wait for the next answer.
    var isAwaited: Bool { waiting > 0 || isAsking }

    /// The credits that are left; nil if unknown.
    var left: Int64? { isKnown ? max(0, remaining + lease - debt - sentDebt) : nil }

    /// The seconds until the credits are refilled; nil without a refill, or if it is unknown.
    func refillsIn(at now: Double) -> Double? { refillAt < .infinity ? max(0, refillAt - now) : nil }

    /// The seconds until a refused request fits; nil if only an admin can make it fit.
    func retryAfter(_ cost: Int64, at now: Double) -> Double? {
        isKnown && remaining + lease < cost ? refillsIn(at: now).map { max(1, $0) } : 1
    }

    // MARK: - Questions

    var urgency: Double { refusedCost > 0 ? 2 : 1 }

    func asksAt(in circumstances: LimitCircumstances) -> Double {
        if isAsking || circumstances.away != nil { return .infinity }
        // Nothing can come of a question until the refill, or until the entry changes.
        let isEmpty = isKnown && remaining < 1
        if refusedCost > lease, mayLease(refusedCost) { return sentAt + Self.gap }
        if !isEmpty, asked > 0, 2 * lease <= leaseAtAnswer {
            return sentAt + (leaseAtAnswer < sentWant ? Self.poorGap : Self.gap)
        }
        return lease > 0 || debt > 0 ? (lease > 0 && debt == 0 ? expires : sentAt + Self.gap) : .infinity
    }

    mutating func question(at now: Double, in circumstances: LimitCircumstances) -> CreditQuestion {
        demand = demand * exp(-max(0, now - demandAt) / Self.tau) + asked
        demandAt = now
        let isIdle = now >= expires && asked <= 0
        let expected = Int64((demand / Self.tau * Self.horizon).rounded(.up).clamped(1, Double(LimitRule.unitLimit)))
        let needed = max(refusedCost, waiting)
        let target = isIdle ? 0 : max(expected, needed)
        let question = CreditQuestion(
            key: key, debit: debt, want: target - lease, needed: max(0, needed - lease),
            share: 1 / circumstances.instances)
        givenBack = max(0, lease - target)
        lease = min(lease, target)
        (sentWant, sentDebt, debt) = (target, debt, 0)
        (asked, refusedCost, waiting) = (0, 0, 0)
        isAsking = true
        sentAt = now
        return question
    }

    mutating func finalQuestion(at now: Double, in circumstances: LimitCircumstances) -> CreditQuestion? {
        guard lease > 0 || debt > 0, !isAsking else { return nil }
        (expires, asked) = (-.infinity, 0)
        return question(at: now, in: circumstances)
    }

    mutating func answer(_ answer: CreditAnswer, at now: Double, in circumstances: LimitCircumstances) {
        isAsking = false
        (sentDebt, givenBack) = (0, 0)
        lease += max(0, answer.granted)
        leaseAtAnswer = lease
        remaining = answer.remaining
        refillAt = answer.refillsIn.map { now + max(0, $0) } ?? .infinity
        expires = now + Self.hold
        // The answer may be older than a change of the entry.
        isKnown = !hasChangedWhileAsking
        hasChangedWhileAsking = false
    }

    /// Ends a question without an answer. The debt is reported again, and what the question gave back is leased again,
    /// unless the statement may have taken effect.
    mutating func fail(_ failure: QuestionFailure) {
        isAsking = false
        hasChangedWhileAsking = false
        if failure != .lacksRow { debt += sentDebt }
        if failure == .withoutEffect { lease += givenBack }
        (sentDebt, givenBack) = (0, 0)
    }

    /// True if the cell only remembers that the credits are spent. Without it, the next request would be trusted.
    var isSpentReminder: Bool { isKnown && remaining < 1 && !isAsking && lease <= 0 && debt <= 0 && asked <= 0 }

    /// Returns true if the cell is idle, and is not to remember that the credits are spent.
    func isForgettable(at now: Double, in circumstances: LimitCircumstances) -> Bool {
        guard !isAsking, lease <= 0, debt <= 0, now >= expires + Self.hold else { return false }
        return !isKnown || remaining >= 1
    }
}
