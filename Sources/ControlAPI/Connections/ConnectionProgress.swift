import NIOCore

/// The progress of the requests and responses of one connection, and the deadline of its next step.
struct ConnectionProgress {
    private enum Reading {
        case nothing
        case head
        case body(isBounded: Bool)
    }

    private let limits: ConnectionLimits
    private var reading = Reading.nothing
    /// The start of the current step.
    private var start: NIODeadline
    private var hasReceivedHead = false
    /// Requests that have been received in whole and not been answered.
    private var unanswered = 0
    /// The time since which the oldest of them is being answered.
    private var answeringSince: NIODeadline?
    /// The time since which the client leaves a response unread.
    private var blockedSince: NIODeadline?
    /// True after a request with a valid admin credential, false after one whose credential was refused.
    var isAuthenticated = false

    init(limits: ConnectionLimits, openedAt start: NIODeadline) {
        self.limits = limits
        self.start = start
    }

    mutating func receivedBytes(at now: NIODeadline) {
        guard case .nothing = reading else { return }
        reading = .head
        if hasReceivedHead { start = now }
    }

    /// - Parameter isStreamed: the body has a timeout of its own.
    mutating func receivedHead(isStreamed: Bool, at now: NIODeadline) {
        reading = .body(isBounded: !isStreamed)
        hasReceivedHead = true
        start = now
    }

    mutating func receivedEnd(at now: NIODeadline) {
        reading = .nothing
        unanswered += 1
        answeringSince = answeringSince ?? now
        start = now
    }

    mutating func answered(at now: NIODeadline) {
        unanswered -= 1
        answeringSince = unanswered > 0 ? now : nil
        // What arrived of the next request meanwhile may have waited for this one.
        if case .body = reading {} else { start = now }
    }

    mutating func changedWritability(to isWritable: Bool, at now: NIODeadline) {
        blockedSince = isWritable ? nil : blockedSince ?? now
    }

    /// The time at which the connection is closed unless something happens before; nil while the server has the next step.
    var deadline: NIODeadline? {
        if let blockedSince { return blockedSince + TimeAmount(limits.idle) }
        if unanswered > 0 { return nil }
        switch reading {
        case .nothing: return start + TimeAmount(hasReceivedHead ? limits.idle : limits.requestHead)
        case .head: return start + TimeAmount(limits.requestHead)
        case .body(let isBounded): return isBounded ? start + TimeAmount(limits.requestBody) : nil
        }
    }

    /// The time of the last progress of a connection that may be closed in favour of another; nil while it must not be.
    ///
    /// A request that is being answered protects a connection only by its age: anyone can send requests that wait, one after another.
    var evictableSince: NIODeadline? {
        isAuthenticated ? nil : answeringSince ?? start
    }
}
