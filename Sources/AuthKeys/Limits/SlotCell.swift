/// One concurrency limit in one instance. Slots are leased like units, and given back. All moments are seconds of the
/// instance's uptime.
struct SlotCell: SharedCell {
    /// The time between two questions while slots are used. The store's rows are void after 10 s.
    private static let renewal = 3.0
    /// The maximum number of requests that wait at once.
    private static let waiterLimit: Int64 = 64
    /// The minimum time between two questions after a refusal.
    private static let poorGap = 0.1

    let id: LimitID
    private(set) var limit: Int64
    /// The slots of requests under way.
    private(set) var used: Int64 = 0
    /// The slots that the instance holds.
    private var granted: Int64 = 0
    /// The largest number of slots used since the last question.
    private var peak: Int64 = 0
    /// The number of requests refused since the last question.
    private var refused: Int64 = 0
    /// The requests that wait for the next answer.
    private var waiters: Int64 = 0
    private var sentWant: Int64 = 0
    private var sentAt = -Double.infinity
    /// True if the instance holds slots. Otherwise it begins with an even share.
    private var isKnown = false
    private var isAsking = false
    var isListed = false

    init(id: LimitID, limit: Int64) {
        self.id = id
        self.limit = limit
    }

    mutating func refresh(at now: Double, in circumstances: LimitCircumstances) {}

    /// Applies a changed definition.
    mutating func adapt(to limit: Int64) {
        guard limit != self.limit else { return }
        self.limit = limit
        sentAt = -.infinity
    }

    /// Takes a slot. Returns false if none is free.
    mutating func take(in circumstances: LimitCircumstances) -> Bool {
        guard free(in: circumstances) > 0 || circumstances.away == .open else {
            refused += 1
            return false
        }
        used += 1
        peak = max(peak, used)
        return true
    }

    /// Decides if a request that was refused waits for the next answer: the slots may be free, or held by other
    /// instances that do not need them. An instance that asked a moment ago knows better.
    mutating func beginWait(at now: Double, in circumstances: LimitCircumstances) -> Bool {
        guard circumstances.instances > 1, circumstances.away == nil, now >= sentAt + Self.poorGap || isAsking,
            waiters < Self.waiterLimit, used + waiters < limit
        else { return false }
        waiters += 1
        return true
    }

    /// True if requests wait for the next answer.
    var isAwaited: Bool { waiters > 0 }

    mutating func release() { used = max(0, used - 1) }

    /// The slots that are left for this instance.
    func free(in circumstances: LimitCircumstances) -> Int64 {
        let opening = max(1, limit / Int64(circumstances.instances))
        return max(0, min(limit, isKnown ? granted : opening) - used)
    }

    /// The slots in use that the rows do not show yet. Negative for slots that are held and not in use.
    var beyondRow: Int64 { used - (isKnown ? granted : 0) }

    // MARK: - Questions

    var urgency: Double { refused > 0 ? 2 : 1 }

    func asksAt(in circumstances: LimitCircumstances) -> Double {
        if isAsking || circumstances.away != nil { return .infinity }
        if refused > 0 { return sentAt + Self.poorGap }
        if !isKnown { return used > 0 ? sentAt + Self.poorGap : .infinity }
        return used > 0 || granted > 0 ? sentAt + Self.renewal : .infinity
    }

    mutating func question(at now: Double, in circumstances: LimitCircumstances) -> SlotQuestion {
        let most = max(peak, used)
        var want: Int64 = 0
        if most > 0 || refused > 0 {
            want = circumstances.instances <= 1 ? limit : min(limit, most + max(1, most / 4) + refused)
        }
        (sentWant, sentAt) = (want, now)
        (peak, refused) = (used, 0)
        isAsking = true
        // Slots that are given back must not be taken meanwhile.
        if isKnown { granted = min(granted, max(want, used)) }
        return SlotQuestion(id: id, limit: limit, want: want)
    }

    mutating func finalQuestion(at now: Double, in circumstances: LimitCircumstances) -> SlotQuestion? {
        guard granted > 0 || used > 0, !isAsking else { return nil }
        (sentWant, isAsking) = (0, true)
        return SlotQuestion(id: id, limit: limit, want: 0)
    }

    mutating func answer(_ answer: SlotAnswer, in circumstances: LimitCircumstances) {
        (isAsking, waiters) = (false, 0)
        granted = max(0, answer.granted)
        // An idle instance begins with an even share again.
        isKnown = sentWant > 0
    }

    mutating func fail(_ failure: QuestionFailure) {
        (isAsking, waiters) = (false, 0)
    }

    func isForgettable(at now: Double, in circumstances: LimitCircumstances) -> Bool {
        !isAsking && used == 0 && (!isKnown || granted == 0) && refused == 0 && now >= sentAt + Self.renewal
    }
}
