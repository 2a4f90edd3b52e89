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
    /// Requests that are completely received and not yet answered.
    private var unanswered = 0
    /// The time since which the server processes the oldest of them.
    private var answeringSince: NIODeadline?
    /// The time since which the client does not read a response.
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

    /// - Parameter isStreamed: true if the body has a timeout of its own.
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
        // Bytes of the next request may have waited for this response.
        if case .body = reading {} else { start = now }
    }

    mutating func changedWritability(to isWritable: Bool, at now: NIODeadline) {
        blockedSince = isWritable ? nil : blockedSince ?? now
    }

    /// The time at which the connection is closed unless it makes progress; nil while the server has to act next.
    var deadline: NIODeadline? {
        if let blockedSince { return blockedSince + TimeAmount(limits.idle) }
        if unanswered > 0 { return nil }
        switch reading {
        case .nothing: return start + TimeAmount(hasReceivedHead ? limits.idle : limits.requestHead)
        case .head: return start + TimeAmount(limits.requestHead)
        case .body(let isBounded): return isBounded ? start + TimeAmount(limits.requestBody) : nil
        }
    }

    /// The time of the last progress, if the connection may be closed in favour of another; otherwise nil.
    ///
    /// A request in progress does not protect its connection, because anyone can send slow requests one after another.
    /// The connection counts by the age of that request.
    var evictableSince: NIODeadline? {
        isAuthenticated ? nil : answeringSince ?? start
    }
}
