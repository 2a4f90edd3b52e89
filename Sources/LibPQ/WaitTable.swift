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

/// The suspended calls of one connection, each with when it gives up.
struct WaitTable {
    typealias Ticket = TurnQueue.Ticket
    typealias Instant = ContinuousClock.Instant

    private struct Wait {
        let deadline: Instant
        let continuation: CheckedContinuation<Wake, Never>
    }

    private var waits: [Ticket: Wait] = [:]
    private var lastTicket: Ticket = 0
    /// When the timer that is set fires.
    private(set) var timer: Instant?
    /// The one call that waits for the socket.
    var socketWait: Ticket?

    mutating func newTicket() -> Ticket {
        lastTicket &+= 1
        return lastTicket
    }

    mutating func add(_ ticket: Ticket, until deadline: Instant, _ continuation: CheckedContinuation<Wake, Never>) {
        waits[ticket] = Wait(deadline: deadline, continuation: continuation)
    }

    /// Takes a call out, to be resumed; nil if it has been already.
    mutating func remove(_ ticket: Ticket) -> CheckedContinuation<Wake, Never>? {
        if socketWait == ticket { socketWait = nil }
        return waits.removeValue(forKey: ticket)?.continuation
    }

    var tickets: [Ticket] { Array(waits.keys) }

    func overdue(at now: Instant) -> [Ticket] {
        waits.filter { $0.value.deadline <= now }.map(\.key)
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

    var earliestDeadline: Instant? { waits.values.map(\.deadline).min() }
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
