import Metrics
import Synchronization

/// Puts refused attempts into the trail: soon, not at once, and never without bound.
///
/// Each kind of caller has a budget. That of callers without a valid credential is one for a day too, because the trail is never
/// pruned and such a caller is anyone. An attempt beyond the budget, or beyond the room there is while the database is away, is only
/// counted; one event a day says how many attempts of callers without a valid credential the trail does not have.
public final class RefusalLog: Sendable {
    /// Attempts that wait to be written.
    static let room = 1_000
    private static let batch = 200
    /// Attempts a day of anonymous callers, and as many with revoked or expired admin keys.
    public static let dailyLimit = 5_000
    static let day = Duration.seconds(86_400)

    private struct State {
        var waiting: [NewAuditEvent] = []
        var isWriting = false
        var isClosed = false
        var anonymous: DailyBudget
        var ended: DailyBudget
        var admins: RateBudget
        /// Attempts of callers without a valid credential that are not in the trail, and not in an event that counts them.
        var omitted = 0

        /// Returns true where a task has to begin to write.
        mutating func append(_ event: NewAuditEvent) -> Bool {
            waiting.append(event)
            defer { isWriting = true }
            return !isWriting
        }

        /// Appends an event that counts what was omitted, if anything was.
        mutating func appendOmitted() -> Bool {
            guard omitted > 0 else { return false }
            let event = NewAuditEvent(
                actor: .system, origin: CallOrigin(address: "", requestID: ""), action: .auditOmitted,
                changes: AuditChanges(omitted: omitted))
            omitted = 0
            return append(event)
        }
    }

    private let trail: any AuditTrail
    private let time: TimeSource
    private let state: Mutex<State>
    private let dropped = Counter(label: "keyward_audit_refusals_dropped_total")

    /// - Parameters:
    ///   - anonymous: attempts a second of callers that are not known.
    ///   - ended: attempts a second with revoked or expired admin keys.
    ///   - daily: attempts a day of each of these two.
    ///   - admins: attempts a second with valid ones.
    public init(
        trail: any AuditTrail, anonymous: Int = 5, ended: Int = 5, daily: Int = RefusalLog.dailyLimit, admins: Int = 50,
        time: TimeSource = .system
    ) {
        self.trail = trail
        self.time = time
        let now = time.uptime()
        func budget(_ rate: Int) -> RateBudget { RateBudget(perSecond: rate, burst: rate * 10, now: now) }
        state = Mutex(
            State(
                anonymous: DailyBudget(budget(anonymous), limit: daily, now: now),
                ended: DailyBudget(budget(ended), limit: daily, now: now), admins: budget(admins)))
    }

    /// Returns at once.
    /// - Parameter isAuthenticated: whether the actor's credential was valid. One that was not has a budget apart, so that neither
    ///   its holder can fill the trail, nor anonymous callers can keep it out.
    public func record(_ attempt: NewAuditEvent, isAuthenticated: Bool) {
        let now = time.uptime()
        let (isKept, starts, isFirstOmitted) = state.withLock { state in
            let isAffordable =
                if isAuthenticated {
                    state.admins.take(now: now)
                } else if attempt.actor == .anonymous {
                    state.anonymous.take(now: now)
                } else {
                    state.ended.take(now: now)
                }
            guard isAffordable, state.waiting.count < Self.room else {
                if !isAuthenticated { state.omitted += 1 }
                return (false, false, !isAuthenticated && state.omitted == 1)
            }
            return (true, state.append(attempt), false)
        }
        if !isKept { dropped.increment() }
        if starts { Task { await write() } }
        if isFirstOmitted { Task { await recordOmitted(after: Self.day) } }
    }

    /// Puts an event into the trail that says how many attempts are not in it.
    private func recordOmitted(after delay: Duration) async {
        try? await time.sleep(delay)
        if state.withLock({ $0.appendOmitted() }) { await write() }
    }

    /// Waits until all is written, and gives up what is not written in time. To be called at the end.
    public func close(within limit: Duration = .seconds(2)) async {
        if state.withLock({ $0.appendOmitted() }) { Task { await write() } }
        let deadline = ContinuousClock.now + limit
        while state.withLock({ $0.isWriting }), .now < deadline { try? await Task.sleep(for: .milliseconds(5)) }
        state.withLock { $0.isClosed = true }
    }

    private func write() async {
        while true {
            let batch = state.withLock { state in
                if state.isClosed { state.waiting = [] }
                if state.waiting.isEmpty { state.isWriting = false }
                return Array(state.waiting.prefix(Self.batch))
            }
            if batch.isEmpty { return }
            do throws(StoreError) {
                try await trail.record(batch)
            } catch {
                if error.kind == .unavailable {
                    try? await time.sleep(.seconds(1))
                    continue
                }
                // Where the answer was lost they may have been written, and each stands in the trail once at most.
                dropped.increment(by: batch.count)
            }
            state.withLock { $0.waiting.removeFirst(min(batch.count, $0.waiting.count)) }
        }
    }
}

/// A budget with a limit for each day, which begins with the first attempt after the day before.
private struct DailyBudget {
    private var rate: RateBudget
    private let limit: Int
    private var taken = 0
    private var end: Duration

    init(_ rate: RateBudget, limit: Int, now: Duration) {
        self.rate = rate
        self.limit = limit
        end = now + RefusalLog.day
    }

    mutating func take(now: Duration) -> Bool {
        if now >= end { (taken, end) = (0, now + RefusalLog.day) }
        guard taken < limit, rate.take(now: now) else { return false }
        taken += 1
        return true
    }
}

/// A token bucket: rate and burst.
struct RateBudget {
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var refilledAt: Duration

    init(perSecond rate: Int, burst: Int, now: Duration) {
        self.rate = Double(rate)
        self.burst = Double(burst)
        tokens = Double(burst)
        refilledAt = now
    }

    mutating func take(now: Duration) -> Bool {
        tokens = min(tokens + (now - refilledAt) / .seconds(1) * rate, burst)
        refilledAt = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
