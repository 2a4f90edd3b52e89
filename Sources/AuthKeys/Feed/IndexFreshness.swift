import Metrics
import Synchronization

/// Tracks the age of the index, and decides whether keys may be verified with it.
///
/// A successful read of the changes makes the index fresh. Keys are accepted for `maxStaleness` after the start of the
/// last such read; with zero, until the first read that fails or is late. Before the first load no key is accepted.
///
/// A follower calls `pulse` several times a second. If the pulse stopped, because the process was suspended or starved,
/// the instance may have missed revocations. It then accepts no key until a read that began after the wake-up has
/// ended.
public final class IndexFreshness: Sendable {
    /// The state that health checks and callers see.
    public enum Status: String, Sendable {
        /// Loaded; the last read of the changes succeeded and is not late.
        case ready
        /// Served from memory: the changes cannot be read.
        case degraded
        /// Not served.
        case unavailable
    }

    /// The state of the service for one verification.
    enum Service {
        case serving
        /// The process was suspended: it must read the changes first.
        case asleep
        case stopped
    }

    private struct State {
        var lastSync: Duration?
        var failedSince: Duration?
        /// The last pulse; nil without a follower.
        var pulse: Duration?
        /// The pulse that found that the previous ones had stopped.
        var wokeAt: Duration?
    }

    /// The longest time between two pulses of a running process: one poll interval.
    static let pulseTimeout = Duration.seconds(1)
    /// The time for which an instance waits after a wake-up for the first read. Then it serves from memory, as with an
    /// unavailable database.
    static let wakeTimeout = Duration.seconds(1)
    /// The age from which a read is late: one poll interval, and as much again for the read.
    public static let lateAfter = Duration.seconds(2)

    private let maxStaleness: Duration
    private let time: TimeSource
    private let state = Mutex(State())
    /// The wall-clock times, in microseconds, between which keys may be verified without the mutex. Each pulse moves
    /// the window; it is empty while keys may not be verified. A clock step leaves the window.
    private let from = Atomic<Int64>(.max)
    private let until = Atomic<Int64>(.min)

    public init(maxStaleness: Duration, time: TimeSource = .system) {
        self.maxStaleness = maxStaleness
        self.time = time
    }

    /// Returns the state of the service at that time. It costs two relaxed loads while keys are served.
    @inline(__always)
    func service(at now: Timestamp) -> Service {
        if now.microseconds >= from.load(ordering: .relaxed), now.microseconds <= until.load(ordering: .relaxed) {
            return .serving
        }
        return slowService()
    }

    @inline(never)
    private func slowService() -> Service {
        let now = time.uptime()
        return state.withLock { state in
            if !mayServe(state, now: now) { return .stopped }
            return isAwake(state, now: now) ? .serving : .asleep
        }
    }

    /// True if keys may be verified, if necessary after a read of the changes.
    public var isServing: Bool {
        let now = time.uptime()
        return state.withLock { mayServe($0, now: now) }
    }

    public var status: Status {
        let now = time.uptime()
        return state.withLock { state in
            guard mayServe(state, now: now) else { return .unavailable }
            return state.failedSince == nil && !isLate(state, now: now) ? .ready : .degraded
        }
    }

    /// True if the last read failed.
    var hasFailed: Bool { state.withLock { $0.failedSince != nil } }

    /// True if a read is late that has not failed.
    var isLate: Bool {
        let now = time.uptime()
        return state.withLock { $0.failedSince == nil && isLate($0, now: now) }
    }

    /// The time since the last successful read; nil before the first.
    public var age: Duration? {
        state.withLock { $0.lastSync }.map { time.uptime() - $0 }
    }

    /// Records a successful read that began at `start`: the index is as of then.
    public func recordSync(startedAt start: Duration) {
        update { state, _ in
            state.lastSync = max(state.lastSync ?? start, start)
            state.failedSince = nil
            Self.noteEnd(ofReadFrom: start, in: &state)
        }
    }

    /// Records a failed read that began at `start`.
    public func recordFailure(startedAt start: Duration) {
        update { state, now in
            state.failedSince = state.failedSince ?? now
            Self.noteEnd(ofReadFrom: start, in: &state)
        }
    }

    /// Records a failed read.
    public func recordFailure() {
        recordFailure(startedAt: time.uptime())
    }

    /// Records that the process runs. Returns true if it did not since the previous pulse.
    @discardableResult
    func pulse() -> Bool {
        update { state, now in
            let hasSlept = state.pulse.map { now - $0 > Self.pulseTimeout } ?? false
            if hasSlept {
                state.wokeAt = now
            } else if let wokeAt = state.wokeAt, now - wokeAt >= Self.wakeTimeout {
                // No read has ended since: the database is unavailable, or an earlier read delays the next one.
                state.failedSince = state.failedSince ?? now
                state.wokeAt = nil
            }
            state.pulse = now
            return hasSlept
        }
    }

    /// Ends the pulses, because the follower ended.
    func endPulse() {
        update { state, _ in state.pulse = nil }
    }

    private static func noteEnd(ofReadFrom start: Duration, in state: inout State) {
        if let wokeAt = state.wokeAt, start >= wokeAt { state.wokeAt = nil }
    }

    private func update<R: Sendable>(_ body: (inout State, Duration) -> R) -> R {
        let (uptime, now) = (time.uptime(), time.now())
        return state.withLock { state in
            let result = body(&state, uptime)
            moveWindow(state, uptime: uptime, now: now)
            return result
        }
    }

    private func moveWindow(_ state: State, uptime: Duration, now: Timestamp) {
        guard mayServe(state, now: uptime), isAwake(state, now: uptime) else {
            until.store(.min, ordering: .relaxed)
            from.store(.max, ordering: .relaxed)
            return
        }
        var end = state.pulse.map { $0 + Self.pulseTimeout }
        if let stale = servesUntil(state) { end = min(end ?? stale, stale) }
        // Another thread may have read the clock a moment earlier.
        from.store(end == nil ? .min : now.advanced(by: .milliseconds(-500)).microseconds, ordering: .relaxed)
        until.store(end.map { now.advanced(by: $0 - uptime).microseconds } ?? .max, ordering: .relaxed)
    }

    private func isAwake(_ state: State, now: Duration) -> Bool {
        state.wokeAt == nil && state.pulse.map { now - $0 <= Self.pulseTimeout } ?? true
    }

    private func mayServe(_ state: State, now: Duration) -> Bool {
        guard state.lastSync != nil, maxStaleness > .zero || state.failedSince == nil else { return false }
        return servesUntil(state).map { now <= $0 } ?? true
    }

    /// The uptime until which the index may be served; nil for no limit, as without a follower nothing is late.
    private func servesUntil(_ state: State) -> Duration? {
        guard let lastSync = state.lastSync else { return nil }
        if maxStaleness > .zero { return lastSync + maxStaleness }
        return state.pulse == nil ? nil : lastSync + Self.lateAfter
    }

    private func isLate(_ state: State, now: Duration) -> Bool {
        guard state.pulse != nil, let lastSync = state.lastSync else { return false }
        return now - lastSync > Self.lateAfter
    }
}
