/// The state machine of a pool: accepts events and returns actions. It has no sockets, no clock and no randomness.
///
/// The caller that has waited longest is served first. Connections are opened only for waiting callers. While the
/// database does not respond, only one is opened at a time, and only after the backoff has passed.
struct PoolState {
    typealias Instant = ContinuousClock.Instant
    typealias ConnectionID = UInt64
    typealias WaiterID = UInt64

    enum Refusal: Hashable {
        /// The pool is closed.
        case closed
        /// Connecting fails, and there is no open connection.
        case connectionFailed
        /// No connection became free in time.
        case exhausted
    }

    enum Action: Hashable {
        case open(ConnectionID)
        case close(ConnectionID)
        case lend(ConnectionID, to: WaiterID)
        case refuse(WaiterID, Refusal)
        /// Call `tick` at this time.
        case wake(Instant)
    }

    private struct Waiter {
        let id: WaiterID
        let deadline: Instant
    }

    private enum Slot {
        case connecting
        case leased(retireAt: Instant)
        case idle(retireAt: Instant, since: Instant)
    }

    private let configuration: PoolConfiguration
    private var slots: [ConnectionID: Slot] = [:]
    /// Idle connections, the most recently used one last. The pool lends the last one first, so that the others can
    /// expire.
    private var idle: [ConnectionID] = []
    private var waiters: [Waiter] = []
    private var backoff = Backoff()
    private var retryAt: Instant?
    private var isClosed = false
    private var lastConnection: ConnectionID = 0
    private var nextWake: Instant?
    private var opened = 0
    private var failed = 0

    init(_ configuration: PoolConfiguration) { self.configuration = configuration }

    /// Records that a caller requests a connection.
    mutating func request(_ waiter: WaiterID, deadline: Instant, now: Instant) -> [Action] {
        waiters.append(Waiter(id: waiter, deadline: deadline))
        return settle(now)
    }

    /// Records that a caller found its leased connection dead before it sent anything. This caller is served next.
    mutating func foundDead(
        _ connection: ConnectionID, by waiter: WaiterID, deadline: Instant, now: Instant
    ) -> [Action] {
        slots[connection] = nil
        waiters.insert(Waiter(id: waiter, deadline: deadline), at: 0)
        return [.close(connection)] + settle(now)
    }

    /// Records that a caller no longer waits.
    mutating func withdraw(_ waiter: WaiterID) {
        waiters.removeAll { $0.id == waiter }
    }

    mutating func connected(_ connection: ConnectionID, now: Instant) -> [Action] {
        guard slots[connection] != nil else { return [.close(connection)] }
        opened += 1
        backoff.succeeded()
        retryAt = nil
        return free(connection, retireAt: now + configuration.maximumLifetime, now: now)
    }

    /// Records a failed attempt. `fraction` is a random number from 0 to 1.
    mutating func connectFailed(_ connection: ConnectionID, fraction: Double, now: Instant) -> [Action] {
        slots[connection] = nil
        failed += 1
        retryAt = now + backoff.failed(fraction: fraction)
        return settle(now)
    }

    /// Records that a caller returned its connection.
    mutating func giveBack(_ connection: ConnectionID, isReusable: Bool, now: Instant) -> [Action] {
        guard case .leased(let retireAt) = slots[connection] else { return [] }
        guard isReusable, !isClosed, retireAt > now else {
            slots[connection] = nil
            return [.close(connection)] + settle(now)
        }
        return free(connection, retireAt: retireAt, now: now)
    }

    /// Handles the passing of time.
    mutating func tick(now: Instant) -> [Action] {
        // When an earlier wake-up replaced this one, no further wake-up is requested. Otherwise their number would only
        // grow.
        if let wake = nextWake, wake <= now { nextWake = nil }
        var actions: [Action] = []
        for waiter in waiters where waiter.deadline <= now {
            actions.append(.refuse(waiter.id, backoff.failures > 0 ? .connectionFailed : .exhausted))
        }
        waiters.removeAll { $0.deadline <= now }
        for connection in idle {
            guard let end = endOfIdleness(connection), end <= now else { continue }
            slots[connection] = nil
            actions.append(.close(connection))
        }
        idle.removeAll { slots[$0] == nil }
        return actions + settle(now)
    }

    /// Closes the pool: it lends no more connections, and closes leased ones when they are returned.
    mutating func close() -> [Action] {
        isClosed = true
        let actions =
            waiters.map { Action.refuse($0.id, .closed) } + idle.map { Action.close($0) }
        waiters = []
        idle = []
        slots = slots.filter { if case .leased = $0.value { true } else { false } }
        return actions
    }

    var statistics: PoolStatistics {
        let connecting = connectingCount
        return PoolStatistics(
            idle: idle.count, leased: slots.count - idle.count - connecting, connecting: connecting,
            waiting: waiters.count, maximum: configuration.maximumConnections, totalOpened: opened,
            totalFailures: failed)
    }
}

extension PoolState {
    private mutating func free(_ connection: ConnectionID, retireAt: Instant, now: Instant) -> [Action] {
        slots[connection] = .idle(retireAt: retireAt, since: now)
        idle.append(connection)
        return settle(now)
    }

    /// Serves waiting callers, refuses those that cannot be served, opens missing connections, and requests the next
    /// wake-up.
    private mutating func settle(_ now: Instant) -> [Action] {
        var actions: [Action] = []
        if isClosed {
            actions = waiters.map { .refuse($0.id, .closed) }
            waiters = []
            return actions
        }
        while let waiter = waiters.first, let connection = idle.popLast() {
            waiters.removeFirst()
            guard case .idle(let retireAt, _) = slots[connection] else { continue }
            slots[connection] = .leased(retireAt: retireAt)
            actions.append(.lend(connection, to: waiter.id))
        }
        let isBackingOff = retryAt.map { $0 > now } ?? false
        if isBackingOff, slots.isEmpty {
            actions += waiters.map { .refuse($0.id, .connectionFailed) }
            waiters = []
        }
        var connecting = connectingCount
        while !isBackingOff, connecting < (backoff.failures > 0 ? min(1, waiters.count) : waiters.count),
            slots.count < max(1, configuration.maximumConnections)
        {
            lastConnection += 1
            connecting += 1
            slots[lastConnection] = .connecting
            actions.append(.open(lastConnection))
        }
        let moments =
            waiters.map(\.deadline) + idle.compactMap { endOfIdleness($0) }
            + (waiters.isEmpty || !isBackingOff ? [] : [retryAt].compactMap { $0 })
        if let earliest = moments.min(), nextWake.map({ earliest < $0 }) ?? true {
            nextWake = earliest
            actions.append(.wake(earliest))
        }
        return actions
    }

    private var connectingCount: Int {
        slots.values.count { if case .connecting = $0 { true } else { false } }
    }

    private func endOfIdleness(_ connection: ConnectionID) -> Instant? {
        guard case .idle(let retireAt, let since) = slots[connection] else { return nil }
        return min(retireAt, since + configuration.idleTimeout)
    }
}
