import Dispatch

/// How long an operation goes on waiting, and what ended its patience.
struct Deadline: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// How long a cancelled statement may take to end before the connection is closed instead.
    static let grace = Duration.milliseconds(500)

    private(set) var instant: Instant
    /// Whether cancelling the task ends it too.
    private(set) var heedsCancellation: Bool
    /// For long answers: how long the next part may take, rather than the whole.
    private let renewal: Duration?
    /// Why the statement was cancelled; set once.
    private(set) var interruption: PostgresError?

    init(_ timeout: Duration, heedsCancellation: Bool = true, renewing: Bool = false) {
        instant = .now + timeout
        self.heedsCancellation = heedsCancellation
        renewal = renewing ? timeout : nil
    }

    var isOver: Bool { instant <= .now }

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
    /// The same moment on Dispatch's clock; a moment that has passed is now.
    init(_ instant: ContinuousClock.Instant) {
        let seconds = max(0, (instant - .now) / .seconds(1))
        self = .now() + min(seconds, 1e9)
    }
}
