/// The decisions of a pool: takes events, returns what is to be done. Knows no sockets, no clock, no chance.
///
/// Whoever has waited longest is served first. Connections are opened for waiters only, one at a time while the database
/// does not answer, and not before the back-off after a failure has passed.
struct PoolState {
    typealias Instant = ContinuousClock.Instant
    typealias ConnectionID = UInt64
    typealias WaiterID = UInt64

    enum Refusal: Hashable {
        /// The pool is closed.
        case closed
        /// Connecting fails, and no connection is there.
        case connectionFailed
        /// No connection came free in time.
        case exhausted
    }

    enum Action: Hashable {
        case open(ConnectionID)
        case close(ConnectionID)
        case lend(ConnectionID, to: WaiterID)
        case refuse(WaiterID, Refusal)
        /// Call `tick` then.
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
    /// Free connections, the one used last at the end: it is lent first, so that the others can retire.
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

    /// A caller wants a connection.
    mutating func request(_ waiter: WaiterID, deadline: Instant, now: Instant) -> [Action] {
        waiters.append(Waiter(id: waiter, deadline: deadline))
        return settle(now)
    }

    /// A caller found the connection it was lent dead, before it sent anything: it is served next.
    mutating func foundDead(
        _ connection: ConnectionID, by waiter: WaiterID, deadline: Instant, now: Instant
    ) -> [Action] {
        slots[connection] = nil
        waiters.insert(Waiter(id: waiter, deadline: deadline), at: 0)
        return [.close(connection)] + settle(now)
    }

    /// A caller does not wait any more.
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

    /// `fraction` is a random number from 0 to 1.
    mutating func connectFailed(_ connection: ConnectionID, fraction: Double, now: Instant) -> [Action] {
        slots[connection] = nil
        failed += 1
        retryAt = now + backoff.failed(fraction: fraction)
        return settle(now)
    }

    /// A caller gives a connection back.
    mutating func giveBack(_ connection: ConnectionID, isReusable: Bool, now: Instant) -> [Action] {
        guard case .leased(let retireAt) = slots[connection] else { return [] }
        guard isReusable, !isClosed, retireAt > now else {
            slots[connection] = nil
            return [.close(connection)] + settle(now)
        }
        return free(connection, retireAt: retireAt, now: now)
    }

    /// Time has passed.
    mutating func tick(now: Instant) -> [Action] {
        // A wake that an earlier one has overtaken must not ask for another: they would only ever become more.
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

    /// Nothing is lent any more; what is lent is closed when it comes back.
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

    /// Serves who can be served, refuses who cannot hope, opens what is missing, and says when to look again.
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
