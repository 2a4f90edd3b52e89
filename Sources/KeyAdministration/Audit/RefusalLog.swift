public import AuthKeys
import Metrics
import Synchronization

/// Appends refused attempts to the trail: with a short delay, and bounded in number.
///
/// Each kind of caller has a budget. Callers without a valid credential also have a daily budget, because the trail is
/// never pruned and anyone can be such a caller. An attempt beyond the budget, or beyond the buffer while the database
/// is unavailable, is only counted. One event a day has the number of omitted attempts of callers without a valid
/// credential.
public final class RefusalLog: Sendable {
    /// The maximum number of attempts that wait to be written.
    static let room = 1_000
    private static let batch = 200
    /// The daily budget of anonymous callers, and of callers with revoked or expired admin keys.
    public static let dailyLimit = 5_000
    static let day = Duration.seconds(86_400)
    /// The attempts a second with valid admin keys.
    private static let adminsPerSecond = 50

    private struct State {
        var waiting: [NewAuditEvent] = []
        var isWriting = false
        var isClosed = false
        /// Callers that wait until nothing is being written.
        var idle: [CheckedContinuation<Void, Never>] = []
        var anonymous: DailyBudget
        var ended: DailyBudget
        var admins: TokenBucket
        /// Attempts of callers without a valid credential that are neither in the trail nor in an event that counts
        /// them.
        var omitted = 0

        /// Returns true if a writing task must be started.
        mutating func append(_ event: NewAuditEvent) -> Bool {
            waiting.append(event)
            defer { isWriting = true }
            return !isWriting
        }

        /// Appends an event with the number of omitted attempts, if there are any.
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
    ///   - anonymous: attempts a second of unknown callers.
    ///   - ended: attempts a second with revoked or expired admin keys.
    ///   - daily: attempts a day of each of these two.
    public init(
        trail: any AuditTrail, anonymous: Int = 5, ended: Int = 5, daily: Int = RefusalLog.dailyLimit,
        time: TimeSource = .system
    ) {
        self.trail = trail
        self.time = time
        let now = time.uptime()
        func budget(_ rate: Int) -> TokenBucket { TokenBucket(perSecond: rate, burst: rate * 10, now: now) }
        state = Mutex(
            State(
                anonymous: DailyBudget(budget(anonymous), limit: daily, now: now),
                ended: DailyBudget(budget(ended), limit: daily, now: now), admins: budget(Self.adminsPerSecond)))
    }

    /// Queues an attempt and returns at once.
    /// - Parameter isAuthenticated: whether the actor's credential was valid. Revoked and expired credentials have a
    ///   separate budget: their holders cannot fill the trail, and anonymous callers cannot keep them out of it.
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

    /// Appends an event with the number of omitted attempts, after a delay.
    private func recordOmitted(after delay: Duration) async {
        try? await time.sleep(delay)
        if state.withLock({ $0.appendOmitted() }) { await write() }
    }

    /// Waits until all attempts are written, and drops those that are not written within 2 s. Call it at shutdown.
    public func close() async {
        if state.withLock({ $0.appendOmitted() }) { Task { await write() } }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.finishWriting() }
            group.addTask {
                try? await Task.sleep(for: .seconds(2))
                self.stop()
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Waits until nothing is being written, or the log is stopped.
    private func finishWriting() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.isWriting, !state.isClosed { state.idle.append(continuation) }
                return !state.isWriting || state.isClosed
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Makes the writing task drop the rest.
    private func stop() {
        let idle = state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        for continuation in idle { continuation.resume() }
    }

    private func write() async {
        while true {
            let (batch, idle) = state.withLock { state in
                if state.isClosed { state.waiting = [] }
                let batch = Array(state.waiting.prefix(Self.batch))
                guard batch.isEmpty else { return (batch, [CheckedContinuation<Void, Never>]()) }
                state.isWriting = false
                defer { state.idle = [] }
                return (batch, state.idle)
            }
            if batch.isEmpty {
                for continuation in idle { continuation.resume() }
                return
            }
            do throws(StoreError) {
                try await trail.record(batch)
            } catch {
                if error.kind == .unavailable {
                    try? await time.sleep(.seconds(1))
                    continue
                }
                // If the confirmation was lost, the attempts may have been written. The trail holds each at most once.
                dropped.increment(by: batch.count)
            }
            state.withLock { $0.waiting.removeFirst(min(batch.count, $0.waiting.count)) }
        }
    }
}

/// A budget with a daily limit. A day begins with the first attempt after the previous day.
private struct DailyBudget {
    private var rate: TokenBucket
    private let limit: Int
    private var taken = 0
    private var end: Duration

    init(_ rate: TokenBucket, limit: Int, now: Duration) {
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
