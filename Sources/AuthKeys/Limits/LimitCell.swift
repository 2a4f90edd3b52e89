import Glibc

/// The state of one rate or quota in one instance.
///
/// The cell spends units that it leased from the row, then a bounded overdraft, which its next question reports as a
/// debt. All moments are seconds of the instance's uptime. The bounds and the simulation are in docs/limits.md.
struct LimitCell: SharedCell {
    /// The part of its share of the available units that an instance may overdraw.
    static let overdraftPart = 0.5
    /// The part of its even share that an instance may use without a question.
    static let quietPart = 0.05
    /// The time after which a quiet debt of a quota is reported: its units do not return, so the debt does not leak.
    static let quietTime = 60.0
    /// The time by which the end of a period may differ between the clocks of database and instance. Periods are much
    /// longer.
    private static let periodTolerance = 60.0
    /// The time after which a question should have been answered.
    private static let answerTime = 0.05
    /// The maximum number of requests that wait after a change of the key.
    private static let waiterLimit = 64
    /// Absorbs rounding errors of sums of units.
    private static let epsilon = 1e-6

    let id: LimitID
    private(set) var terms: LimitTerms
    /// Units that the row has debited already.
    private(set) var lease = 0.0
    /// Units that may be taken beyond the lease. Below zero if more was taken than the instance now knows it may take.
    private(set) var overdraft: Double
    /// Overdrawn units that were not reported yet.
    private(set) var debt = 0.0
    /// Overdrawn units in the question under way.
    private(set) var sentDebt = 0.0
    /// The units that requests asked for since the last question, refused ones included.
    private(set) var asked = 0.0
    /// The leaking sum of what requests asked for, as of `demandAt`.
    private var demand = 0.0
    private var demandAt: Double
    /// The largest cost that was refused since the last question.
    private var refusedCost = 0.0
    /// The part of the demand of all instances that is this instance's.
    private(set) var share = 0.0
    /// The units that were left at the last answer.
    private(set) var available: Double
    private var answeredAt: Double
    private var leaseAtAnswer = 0.0
    private var sentWant = 0.0
    private var sentAt = -Double.infinity
    /// The moment from which unused units are given back, and debts reported.
    private var expires: Double
    private var refilledAt: Double
    /// The start of the calendar period, or of the cell if that is later, and the end of the period, if it is known.
    private var periodBegan = -Double.infinity
    private var periodEnd = Double.infinity
    /// True after an answer. A cell that is not known begins with an opening, and a known one never gets it again.
    private(set) var isKnown = false
    /// True while a question is under way.
    private(set) var isAsking = false
    /// True if a period ended while a question was under way.
    private var hasRolledWhileAsking = false
    /// True if the row may be missing.
    private var lacksRow = true
    private(set) var isAway = false
    /// The version of the key that has the limit; 0 for a limit that keys share. A reset of the limit raises it.
    private var version: UInt32
    /// True from a change of the key until an answer to a question after it.
    private(set) var isOutdated = false
    /// True if the key changed while a question was under way.
    private var hasChangedWhileAsking = false
    /// The number of refused requests that wait for the next answer.
    private var waiters: UInt8 = 0
    /// Leased units that the question under way gives back.
    private var givenBack = 0.0
    /// True while the table lists the cell as one that is to ask.
    var isListed = false

    /// Creates the cell of a limit that is full as far as this instance can know.
    /// - Parameter cost: the cost of the first request, which fits if the burst allows it.
    init(
        id: LimitID, terms: LimitTerms, version: UInt32 = 0, opening cost: Double = 1, at now: Double,
        in circumstances: LimitCircumstances
    ) {
        self.version = version
        self.id = id
        self.terms = terms
        overdraft = max(1, min(cost, terms.burst), terms.burst / circumstances.instances)
        available = terms.burst
        demandAt = now
        answeredAt = now
        refilledAt = now
        periodBegan = now
        expires = now + terms.hold
    }

    // MARK: - Taking units

    /// Units that were taken, so that they can be given back.
    struct Taken: Sendable, Equatable {
        var lease = 0.0
        var overdraft = 0.0
    }

    /// Takes the units of a request; nil if they do not fit. Call `refresh` before.
    @inline(__always)
    mutating func take(_ cost: Double, in circumstances: LimitCircumstances) -> Taken? {
        asked += cost
        guard fits(cost, in: circumstances) else {
            refusedCost = max(refusedCost, cost)
            return circumstances.away == .open ? Taken() : nil
        }
        let taken = min(lease, cost)
        let rest = cost - taken
        lease -= taken
        overdraft -= rest
        if !isAway { debt += rest }
        return Taken(lease: taken, overdraft: rest)
    }

    /// True if a request waits for the next answer.
    var isAwaited: Bool { waiters > 0 }

    /// Decides if a request that was refused waits for the next answer instead.
    ///
    /// It does if the row may have units that this instance does not know of: after a change of the key, and once for
    /// each question, because the share of an instance with few requests is small. So a client that comes from another
    /// instance, or returns in time, is not refused while the limit has room. A flood does not wait.
    mutating func beginWait(for cost: Double, at now: Double, in circumstances: LimitCircumstances) -> Bool {
        if isAway { return false }
        if isOutdated {
            guard waiters < Self.waiterLimit else { return false }
        } else {
            guard isKnown, !isAsking, waiters == 0, asksAt(in: circumstances) <= now,
                remaining(at: now, in: circumstances) + Self.epsilon >= cost
            else { return false }
        }
        waiters += 1
        return true
    }

    /// Returns true if a request of this cost fits. Call `refresh` before.
    @inline(__always)
    func fits(_ cost: Double, in circumstances: LimitCircumstances) -> Bool {
        // A lease does not hide the debt of an instance that is alone, because its cell is the limit itself.
        let least = isAlone(circumstances) && !isAway ? overdraft : 0
        let extra = circumstances.away == .closed ? 0 : max(least, overdraft)
        return lease + extra + Self.epsilon >= cost
    }

    /// Gives back what a request took that another limit refused.
    mutating func giveBack(_ taken: Taken, cost: Double) {
        asked = max(0, asked - cost)
        lease += taken.lease
        overdraft += taken.overdraft
        guard !isAway else { return }
        debt -= taken.overdraft
        if debt < 0 {
            // The row was debited meanwhile, so that the units are leased ones now.
            lease -= debt
            overdraft += debt
            debt = 0
        }
    }

    /// Takes units that a request cost beyond those that it took, even if they do not fit. Call `refresh` before.
    /// - Returns: the units that were taken. With `open`, nothing is owed for what was served beyond the limit.
    mutating func charge(_ units: Double, in circumstances: LimitCircumstances) -> Double {
        asked += units
        let leased = min(lease, units)
        let rest = circumstances.away == .open ? min(units - leased, max(0, overdraft)) : units - leased
        lease -= leased
        overdraft -= rest
        if !isAway { debt += rest }
        return leased + rest
    }

    /// Gives back units that a request took and did not need. Call `refresh` before.
    /// - Parameter moment: the moment at which the units were taken.
    mutating func refund(
        _ units: Double, takenAt moment: Double, at now: Double, in circumstances: LimitCircumstances
    ) {
        // Units of a period that has ended have returned already, and those of a rate after the time of a full refill.
        guard terms.period == nil ? now - moment < terms.window : moment >= periodBegan else { return }
        let units = min(units, max(0, terms.burst - remaining(at: now, in: circumstances)))
        let unreported = isAway ? units : min(debt, units)
        if !isAway { debt -= unreported }
        overdraft = min(max(overdraft, maximumOverdraft(in: circumstances)), overdraft + unreported)
        // The row has debited the others: they are leased units now, which a question gives back.
        lease += units - unreported
    }

    /// Brings the cell to the present: the end of a period, the state of the database, and what has returned.
    @inline(__always)
    mutating func refresh(at now: Double, in circumstances: LimitCircumstances) {
        if now >= periodEnd { beginPeriod(at: periodEnd, in: circumstances) }
        if isAway != (circumstances.away != nil) { switchAway(at: now, in: circumstances) }
        refill(at: now, in: circumstances)
    }

    @inline(__always)
    private mutating func refill(at now: Double, in circumstances: LimitCircumstances) {
        let elapsed = now - refilledAt
        guard elapsed > 0 else { return }
        refilledAt = now
        let part = isAlone(circumstances) ? 1 : isKnown && !isAway ? share : evenShare(circumstances)
        let most = maximumOverdraft(in: circumstances)
        overdraft = min(max(overdraft, most), overdraft + terms.refill * part * elapsed)
        if debt > 0, isQuiet(circumstances) {
            debt = max(0, debt - Self.quietPart * terms.refill / circumstances.instances * elapsed)
        }
    }

    /// The larger of the instance's share of the demand and its even share.
    @inline(__always)
    private func evenShare(_ circumstances: LimitCircumstances) -> Double {
        max(share, 1 / circumstances.instances)
    }

    @inline(__always)
    private func maximumOverdraft(in circumstances: LimitCircumstances) -> Double {
        if isAway { return max(1, terms.burst * evenShare(circumstances)) }
        if isAlone(circumstances) { return terms.burst - lease }
        return max(1, isKnown ? Self.overdraftPart * terms.burst * share : terms.burst / circumstances.instances)
    }

    /// True if there is no other instance. The cell then is the limit itself, and leases nothing. If that is wrong for
    /// a moment, the row's answers correct the cell.
    @inline(__always)
    private func isAlone(_ circumstances: LimitCircumstances) -> Bool { circumstances.instances <= 1 }

    /// True if the cell needs no question, because its whole use is within its quiet part.
    @inline(__always)
    private func isQuiet(_ circumstances: LimitCircumstances) -> Bool {
        !isKnown && !isAsking && lease <= 0
            && debt <= Self.quietPart * terms.burst / circumstances.instances
    }

    /// Applies a changed definition. Units that were taken stay taken, as in the row.
    @inline(__always)
    mutating func adapt(to new: LimitTerms, in circumstances: LimitCircumstances) {
        if new != terms { replaceTerms(new, in: circumstances) }
    }

    @inline(never)
    private mutating func replaceTerms(_ new: LimitTerms, in circumstances: LimitCircumstances) {
        let old = terms
        terms = new
        available = new.burst - max(0, old.burst - available)
        if isAway {
            overdraft = min(overdraft, maximumOverdraft(in: circumstances))
            return
        }
        let openings = [old, new].map { max(1, $0.burst / circumstances.instances) }
        overdraft =
            isKnown
            ? permittedOverdraft(in: circumstances) : max(min(0, overdraft), overdraft + openings[1] - openings[0])
        if new.period != old.period { (periodBegan, periodEnd) = (-.infinity, .infinity) }
        sentAt = -.infinity
    }

    /// Learns the version of the key. After a change, the row may have been reset, and the cell asks at once.
    @inline(__always)
    mutating func accept(version: UInt32) {
        if version != self.version { follow(version) }
    }

    @inline(never)
    private mutating func follow(_ version: UInt32) {
        self.version = version
        isOutdated = true
        hasChangedWhileAsking = isAsking
        sentAt = -.infinity
    }

    /// Forgets what was taken and not reported, after a reset of the row. The cell asks at once.
    mutating func forgive() {
        debt = 0
        isOutdated = true
        sentAt = -.infinity
    }

    /// The overdraft after an answer: a part of the share of what is left, without what is overdrawn already.
    private func permittedOverdraft(in circumstances: LimitCircumstances) -> Double {
        let debt = debt + sentDebt
        if isAlone(circumstances) { return min(available, terms.burst - lease) - debt }
        // The shares of all instances together must pay back the whole debt of the row.
        if available < 0 { return available * share - debt }
        let permitted = min(available, terms.burst) * share * Self.overdraftPart
        return (available >= 1 ? max(1, permitted) : permitted) - debt
    }

    // MARK: - Periods and an absent database

    /// Begins a calendar period, with all units. Leases and debts of the previous one do not count in it.
    private mutating func beginPeriod(at moment: Double, in circumstances: LimitCircumstances) {
        (periodBegan, periodEnd) = (moment, .infinity)
        (lease, leaseAtAnswer, debt, sentDebt, givenBack) = (0, 0, 0, 0, 0)
        available = terms.burst
        hasRolledWhileAsking = isAsking
        overdraft = isKnown ? permittedOverdraft(in: circumstances) : max(1, terms.burst / circumstances.instances)
        if isAway { overdraft = maximumOverdraft(in: circumstances) }
    }

    /// Begins or ends the time in which the database does not respond.
    ///
    /// Meanwhile the overdraft is a bucket: the share of the limit. In the end the cell owes what the bucket lacks
    /// beyond what the row has not given back by then. If it owed all that it spent, every key would be refused for as
    /// long as the database was absent.
    @inline(never)
    private mutating func switchAway(at now: Double, in circumstances: LimitCircumstances) {
        let fair = evenShare(circumstances) * min(terms.burst, available + terms.refill * (now - answeredAt))
        if circumstances.away != nil {
            overdraft = fair - debt - sentDebt
            debt = 0
            isAway = true
        } else {
            refill(at: now, in: circumstances)
            debt = max(0, fair - overdraft - sentDebt)
            isAway = false
            overdraft = min(overdraft, maximumOverdraft(in: circumstances))
        }
    }

    // MARK: - Questions and answers

    /// The moment from which the cell has a question; infinite for none.
    func asksAt(in circumstances: LimitCircumstances) -> Double {
        if isAsking || isAway { return .infinity }
        if isOutdated { return sentAt + LimitTerms.gap }
        if isQuiet(circumstances) {
            return terms.period != nil && debt > 0 ? expires - terms.hold + Self.quietTime : .infinity
        }
        // An instance that is alone has no lease but units that were given back, which delay no report.
        // A lease that a request did not fit into is too small, whatever is left of it.
        let isLow = lease <= 0.5 * leaseAtAnswer || isAlone(circumstances) || refusedCost > lease
        if isLow, asked > 0 { return sentAt + gap(in: circumstances) }
        return lease > 0 || debt > 0 || (isKnown && asked > 0) ? expires : .infinity
    }

    private func gap(in circumstances: LimitCircumstances) -> Double {
        // An instance that is alone has nothing to learn.
        if isKnown, isAlone(circumstances) { return terms.horizon / 2 }
        return isKnown && isUnsatisfied ? terms.poorGap(share: share) : LimitTerms.gap
    }

    /// True if the last answer gave less than was wanted.
    private var isUnsatisfied: Bool { leaseAtAnswer < sentWant }

    /// The order in which cells ask, if not all can: those that refused, then those with the smallest part of their
    /// lease.
    var urgency: Double {
        refusedCost > 0 ? 2 : leaseAtAnswer > 0 ? 1 - lease / leaseAtAnswer : 1
    }

    /// Begins a question. `answer` or `fail` ends it.
    mutating func question(at now: Double, in circumstances: LimitCircumstances) -> LimitQuestion {
        demand = demand * exp(-max(0, now - demandAt) / terms.tau) + asked
        demandAt = now
        var target = 0.0
        let isIdle = now >= expires && asked <= 0
        if !isIdle, !isAlone(circumstances) {
            target = max(demand / terms.tau * terms.horizon, refusedCost, 1).rounded(.up)
        }
        // Units that have returned since they were taken are not owed. The row was full meanwhile.
        if isAlone(circumstances) { debt = min(debt, max(0, terms.burst - lease - overdraft)) }
        let question = LimitQuestion(
            id: id, period: terms.period, rate: terms.rate, burst: terms.burst, tau: terms.tau, debit: debt,
            want: target - lease, asked: asked, demand: demand, isKnown: !lacksRow)
        // Units that are given back must not be taken meanwhile, except by an instance that is alone.
        if isAlone(circumstances) { overdraft += max(0, lease - target) }
        givenBack = isAlone(circumstances) ? 0 : max(0, lease - target)
        lease = min(lease, target)
        sentWant = target
        (sentDebt, debt) = (debt, 0)
        (asked, refusedCost) = (0, 0)
        isAsking = true
        sentAt = now
        return question
    }

    /// A question that takes nothing and reports nothing.
    var probe: LimitQuestion {
        LimitQuestion(
            id: id, period: terms.period, rate: terms.rate, burst: terms.burst, tau: terms.tau, debit: 0, want: 0,
            asked: 0, demand: 0, isKnown: !lacksRow)
    }

    mutating func answer(_ answer: LimitAnswer, at now: Double, in circumstances: LimitCircumstances) {
        refresh(at: now, in: circumstances)
        isAsking = false
        lacksRow = false
        isOutdated = hasChangedWhileAsking
        hasChangedWhileAsking = false
        (waiters, givenBack) = (0, 0)
        let isOfPast = acceptPeriod(of: answer, at: now, in: circumstances)
        sentDebt = 0
        if isOfPast { return }
        let expected = overdraft
        // The row learns of units late: by the time since the previous question, and by the time to reach it and back.
        let slack = terms.refill * (now - answeredAt + 2 * (now - sentAt)) + Self.epsilon
        lease += max(0, answer.granted)
        leaseAtAnswer = lease
        share = max(answer.share, 1 / (4 * circumstances.instances))
        available = answer.available
        answeredAt = now
        isKnown = true
        expires = now + terms.hold
        overdraft = permittedOverdraft(in: circumstances)
        if isAlone(circumstances), (expected - slack...expected).contains(overdraft) {
            // The row lags behind by the delay of questions. The cell's own count is exact.
            overdraft = expected
        }
    }

    /// Learns the end of the period. Returns true if the answer is about a period that has ended.
    private mutating func acceptPeriod(
        of answer: LimitAnswer, at now: Double, in circumstances: LimitCircumstances
    ) -> Bool {
        defer { hasRolledWhileAsking = false }
        guard let ends = answer.periodEnds else { return false }
        let end = now + ends
        if hasRolledWhileAsking, end < periodBegan + Self.periodTolerance { return true }
        if periodEnd < .infinity, end > periodEnd + Self.periodTolerance {
            // The database's clock reached the next period first. What was taken since the question belongs to it.
            let taken = debt
            beginPeriod(at: now, in: circumstances)
            debt = taken
        }
        periodEnd = end
        return false
    }

    /// Ends a question without an answer. The debt is reported again: it may count twice, if the statement took effect.
    /// Units that the question gave back are leased again, if it had no effect.
    mutating func fail(_ failure: QuestionFailure) {
        isAsking = false
        hasRolledWhileAsking = false
        hasChangedWhileAsking = false
        switch failure {
        case .lacksRow:
            lacksRow = true
            expires = -.infinity
        case .withoutEffect: lease += givenBack
        case .unknown: break
        }
        (waiters, givenBack) = (0, 0)
        // While the database is absent, the bucket has it already.
        if !isAway { debt += sentDebt }
        sentDebt = 0
    }

    /// Ends all use at shutdown: nothing of the lease is left.
    mutating func finalQuestion(at now: Double, in circumstances: LimitCircumstances) -> LimitQuestion? {
        guard lease > 0 || debt > 0, !isAsking else { return nil }
        (expires, asked) = (-.infinity, 0)
        return question(at: now, in: circumstances)
    }

    // MARK: - Forgetting

    /// Returns true if a new cell would know as much. An opening may only be given for a limit that is full as far as
    /// the instance can know. So the cell stays until the units have returned that it last saw as taken.
    func isForgettable(at now: Double, in circumstances: LimitCircumstances) -> Bool {
        guard !isAsking, !isAway, lease <= 0, debt <= 0 else { return false }
        if !isKnown { return overdraft >= max(1, terms.burst / circumstances.instances) }
        let isFull =
            terms.period == nil
            ? now >= answeredAt + (terms.burst - available) / terms.rate : available >= terms.burst
        return asked <= 0 && now >= expires && isFull
    }

    // MARK: - The state for responses

    /// The units that this instance took and has not reported, without those that it leased and has not taken. Call
    /// `refresh` before.
    var beyondRow: Double { debt + sentDebt - lease }

    /// The units that are left, as far as the instance knows. Below zero if the limit is overdrawn. Call `refresh`
    /// before.
    func remaining(at now: Double, in circumstances: LimitCircumstances) -> Double {
        if isAway || isAlone(circumstances) { return lease + overdraft }
        return lease + min(terms.burst, available + terms.refill * (now - answeredAt)) - debt - sentDebt
    }

    /// The seconds until all units are back; nil if the end of the period is unknown.
    func reset(at now: Double, remaining: Double) -> Double? {
        if terms.period != nil { return periodEnd < .infinity ? max(0, periodEnd - now) : nil }
        return max(0, terms.burst - remaining) / terms.rate
    }

    /// The seconds until a refused request fits, at least 1; nil if it never does.
    func retryAfter(
        _ cost: Double, at now: Double, remaining: Double, in circumstances: LimitCircumstances
    ) -> Double? {
        guard cost <= terms.burst else { return nil }
        if terms.period != nil, remaining < cost { return periodEnd < .infinity ? max(1, periodEnd - now) : 1 }
        // The units must return to the limit, and then reach the share of this instance: by time, or by its next
        // question.
        let missing = cost - lease - max(0, overdraft)
        let own = isAlone(circumstances) ? 0 : missing / (terms.rate * evenShare(circumstances))
        let next = (isAsking ? 0 : max(0, asksAt(in: circumstances) - now)) + Self.answerTime
        return max(1, (cost - remaining) / terms.rate, min(own, next))
    }
}
