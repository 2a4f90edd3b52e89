import Metrics
import Synchronization

/// Puts refused attempts into the trail: soon, not at once, and never without bound. Each caller has a budget, anonymous ones
/// share a small one; what goes beyond it, or beyond the room there is while the database is away, is only counted.
public final class RefusalLog: Sendable {
    /// Attempts that wait to be written.
    static let room = 1_000
    private static let batch = 200

    private struct State {
        var waiting: [NewAuditEvent] = []
        var isWriting = false
        var isClosed = false
        var anonymous: RateBudget
        var ended: RateBudget
        var admins: RateBudget
    }

    private let trail: any AuditTrail
    private let time: TimeSource
    private let state: Mutex<State>
    private let dropped = Counter(label: "keyward_audit_refusals_dropped_total")

    /// - Parameters:
    ///   - anonymous: attempts a second of callers that are not known.
    ///   - ended: attempts a second with revoked or expired admin keys.
    ///   - admins: attempts a second with valid ones.
    public init(
        trail: any AuditTrail, anonymous: Int = 5, ended: Int = 5, admins: Int = 50, time: TimeSource = .system
    ) {
        self.trail = trail
        self.time = time
        let now = time.uptime()
        state = Mutex(
            State(
                anonymous: RateBudget(perSecond: anonymous, burst: anonymous * 10, now: now),
                ended: RateBudget(perSecond: ended, burst: ended * 10, now: now),
                admins: RateBudget(perSecond: admins, burst: admins * 10, now: now)))
    }

    /// Returns at once.
    /// - Parameter isAuthenticated: whether the actor's credential was valid. One that was not has a budget apart, so that neither
    ///   its holder can fill the trail, nor anonymous callers can keep it out.
    public func record(_ attempt: NewAuditEvent, isAuthenticated: Bool) {
        let now = time.uptime()
        let (isKept, starts) = state.withLock { state in
            let isAffordable =
                if isAuthenticated {
                    state.admins.take(now: now)
                } else if attempt.actor == .anonymous {
                    state.anonymous.take(now: now)
                } else {
                    state.ended.take(now: now)
                }
            guard isAffordable, state.waiting.count < Self.room else { return (false, false) }
            state.waiting.append(attempt)
            defer { state.isWriting = true }
            return (true, !state.isWriting)
        }
        if !isKept { dropped.increment() }
        if starts { Task { await write() } }
    }

    /// Waits until all is written, and gives up what is not written in time. To be called at the end.
    public func close(within limit: Duration = .seconds(2)) async {
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

/// So many a second, and so many at once.
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
