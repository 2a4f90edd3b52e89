import Dispatch

/// The deadline of an operation, and the error that interrupted it.
struct Deadline: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The time that a cancelled statement has to end before the connection is closed instead.
    static let grace = Duration.milliseconds(500)

    private(set) var instant: Instant
    /// True if cancelling the task also interrupts the operation.
    private(set) var heedsCancellation: Bool
    /// For long results: the timeout of each part, in place of one for the whole.
    private let renewal: Duration?
    /// The reason why the statement was cancelled; set once.
    private(set) var interruption: PostgresError?

    init(_ timeout: Duration, heedsCancellation: Bool = true, renewing: Bool = false) {
        instant = .now + timeout
        self.heedsCancellation = heedsCancellation
        renewal = renewing ? timeout : nil
    }

    var isOver: Bool { instant <= .now }

    /// The reason for which an operation has to end now: its task was cancelled, or the time is over. Nil if it may go
    /// on.
    var reasonToEnd: PostgresError.Kind? {
        if heedsCancellation, Task.isCancelled { return .cancelled }
        return isOver ? .timeout : nil
    }

    mutating func progressed() {
        if let renewal, interruption == nil { instant = .now + renewal }
    }

    mutating func interrupt(_ error: PostgresError) {
        interruption = error
        heedsCancellation = false
        instant = .now + Self.grace
    }
}

extension DispatchTime {
    /// Converts `instant` to Dispatch's clock. A past instant becomes now.
    init(_ instant: ContinuousClock.Instant) {
        let seconds = max(0, (instant - .now) / .seconds(1))
        self = .now() + min(seconds, 1e9)
    }
}
