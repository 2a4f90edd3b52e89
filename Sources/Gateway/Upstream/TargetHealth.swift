import NIOCore

/// The passive health of an upstream, derived from the results of connections to it.
///
/// After several consecutive failures the upstream is ejected for a pause, which doubles with each further failure.
/// Then one request may try it again. One success restores it.
struct TargetHealth: Equatable {
    static let failureLimit = 3
    static let firstPause = TimeAmount.seconds(1)
    static let longestPause = TimeAmount.seconds(30)

    private var failures = 0
    private var pause = firstPause
    /// The time at which a request may try it again; nil while it is healthy.
    private(set) var ejectedUntil: NIODeadline?

    /// True if requests may be sent to it.
    func isUsable(now: NIODeadline) -> Bool {
        ejectedUntil.map { $0 <= now } ?? true
    }

    /// Counts a connection that was opened.
    mutating func succeeded() {
        if failures > 0 || ejectedUntil != nil { self = TargetHealth() }
    }

    /// Counts a connection that could not be opened. Returns true if that ejects the upstream.
    mutating func failed(now: NIODeadline) -> Bool {
        failures += 1
        guard failures >= Self.failureLimit, isUsable(now: now) else { return false }
        ejectedUntil = now + pause
        pause = min(pause * 2, Self.longestPause)
        return true
    }

    /// Notes that a request tries it again. Until the result is known, others should not.
    mutating func isTried(now: NIODeadline) {
        if ejectedUntil != nil { ejectedUntil = now + pause }
    }
}
