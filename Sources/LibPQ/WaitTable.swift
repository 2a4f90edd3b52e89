/// The reason why a suspended call of a connection resumes.
enum Wake: Sendable {
    /// The socket, or a cancel request in progress, is ready.
    case ready
    /// The call's turn has come.
    case granted
    case deadline
    case cancelled
    case closed
}

/// The waiting calls of one connection, each with its deadline.
///
/// A call gets its ticket before it is suspended, and may be woken in between: an `await` within the same actor also
/// suspends if the task prefers an executor (SE-0417).
struct WaitTable {
    typealias Ticket = TurnQueue.Ticket
    typealias Instant = ContinuousClock.Instant

    private enum State {
        case announced
        case suspended(CheckedContinuation<Wake, Never>)
        /// Woken before it was suspended.
        case woken(Wake)
    }

    private struct Wait {
        let deadline: Instant
        var state = State.announced

        var isOver: Bool { if case .woken = state { true } else { false } }
    }

    private var waits: [Ticket: Wait] = [:]
    private var lastTicket: Ticket = 0
    /// The time at which the current timer fires.
    private(set) var timer: Instant?
    /// The only call that waits for the socket.
    var socketWait: Ticket?

    /// Registers a call that is about to be suspended.
    mutating func newTicket(until deadline: Instant) -> Ticket {
        lastTicket &+= 1
        waits[lastTicket] = Wait(deadline: deadline)
        return lastTicket
    }

    /// Removes a call that need not be suspended.
    mutating func discard(_ ticket: Ticket) {
        waits[ticket] = nil
    }

    /// Stores the continuation of a registered call. If the call was already woken, returns the reason; otherwise nil,
    /// and the call waits.
    mutating func suspend(_ ticket: Ticket, _ continuation: CheckedContinuation<Wake, Never>) -> Wake? {
        if case .woken(let wake) = waits[ticket]?.state {
            waits[ticket] = nil
            return wake
        }
        waits[ticket]?.state = .suspended(continuation)
        return nil
    }

    /// Wakes a call, unless it is already woken. If it is suspended, returns its continuation for the caller to resume.
    mutating func wake(_ ticket: Ticket, _ wake: Wake) -> CheckedContinuation<Wake, Never>? {
        if socketWait == ticket { socketWait = nil }
        switch waits[ticket]?.state {
        case .announced: waits[ticket]?.state = .woken(wake)
        case .suspended(let continuation):
            waits[ticket] = nil
            return continuation
        case .woken, nil: break
        }
        return nil
    }

    var tickets: [Ticket] { Array(waits.keys) }

    func overdue(at now: Instant) -> [Ticket] {
        waits.filter { $0.value.deadline <= now && !$0.value.isOver }.map(\.key)
    }

    /// Returns the time for which a timer has to be set; nil if an earlier timer is already set, which then sets the
    /// next one.
    mutating func timerToSet(for deadline: Instant) -> Instant? {
        if let timer, timer <= deadline { return nil }
        timer = deadline
        return deadline
    }

    /// Returns true if the timer that fired is the current one. Then no timer is set any more.
    mutating func timerFired(_ instant: Instant) -> Bool {
        guard timer == instant else { return false }
        timer = nil
        return true
    }

    var earliestDeadline: Instant? { waits.values.lazy.filter { !$0.isOver }.map(\.deadline).min() }
}

/// The two resources for which a call waits. Ownership of the connection belongs to a call, or to a transaction as a
/// whole. The wire belongs to one exchange of messages at a time, among those of a transaction's tasks.
struct Turns {
    enum Lane { case ownership, wire }

    var ownership = TurnQueue()
    var wire = TurnQueue()

    subscript(lane: Lane) -> TurnQueue {
        get { lane == .ownership ? ownership : wire }
        set {
            switch lane {
            case .ownership: ownership = newValue
            case .wire: wire = newValue
            }
        }
    }

    mutating func withdraw(_ ticket: TurnQueue.Ticket) {
        ownership.withdraw(ticket)
        wire.withdraw(ticket)
    }
}
