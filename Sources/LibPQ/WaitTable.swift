/// Why a suspended call of a connection goes on.
enum Wake: Sendable {
    /// The socket, or a cancel request that was under way, is ready.
    case ready
    /// Its turn has come.
    case granted
    case deadline
    case cancelled
    case closed
}

/// The calls of one connection that wait, each with when it gives up.
///
/// A call has its ticket before it is suspended, and may be woken in between: an `await` within the same actor suspends too where the
/// task prefers an executor (SE-0417).
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
    /// When the timer that is set fires.
    private(set) var timer: Instant?
    /// The one call that waits for the socket.
    var socketWait: Ticket?

    /// Announces a call that is about to be suspended.
    mutating func newTicket(until deadline: Instant) -> Ticket {
        lastTicket &+= 1
        waits[lastTicket] = Wait(deadline: deadline)
        return lastTicket
    }

    /// Withdraws a call that need not be suspended.
    mutating func discard(_ ticket: Ticket) {
        waits[ticket] = nil
    }

    /// Keeps the continuation of an announced call. Returns why it goes on at once; nil where it waits.
    mutating func suspend(_ ticket: Ticket, _ continuation: CheckedContinuation<Wake, Never>) -> Wake? {
        if case .woken(let wake) = waits[ticket]?.state {
            waits[ticket] = nil
            return wake
        }
        waits[ticket]?.state = .suspended(continuation)
        return nil
    }

    /// Wakes a call, unless it has been woken. Returns its continuation, to be resumed, where it is suspended.
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

    /// When a timer has to be set for `deadline`: never if one fires before, whose firing sets the next.
    mutating func timerToSet(for deadline: Instant) -> Instant? {
        if let timer, timer <= deadline { return nil }
        timer = deadline
        return deadline
    }

    /// Whether the timer that fires is the one that counts. If so none is set any more.
    mutating func timerFired(_ instant: Instant) -> Bool {
        guard timer == instant else { return false }
        timer = nil
        return true
    }

    var earliestDeadline: Instant? { waits.values.lazy.filter { !$0.isOver }.map(\.deadline).min() }
}

/// The two things a call waits its turn for: to own the connection (a call, or a transaction as a whole), and the wire
/// (each exchange of messages, of those that a transaction's tasks ask for).
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
