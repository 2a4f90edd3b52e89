import NIOCore

/// Whether an upstream is worth trying, told from what became of the connections to it (passive health).
///
/// After some failures in a row it is left alone for a while, which doubles with each failure after that; then one request
/// may try it again. One success makes it whole.
struct TargetHealth: Equatable {
    static let failureLimit = 3
    static let firstPause = TimeAmount.seconds(1)
    static let longestPause = TimeAmount.seconds(30)

    private var failures = 0
    private var pause = firstPause
    /// When it may be tried again; nil while it is whole.
    private(set) var ejectedUntil: NIODeadline?

    /// Whether requests may be sent there.
    func isUsable(now: NIODeadline) -> Bool {
        ejectedUntil.map { $0 <= now } ?? true
    }

    /// A connection was opened.
    mutating func succeeded() {
        if failures > 0 || ejectedUntil != nil { self = TargetHealth() }
    }

    /// A connection could not be opened. True when that ejects it.
    mutating func failed(now: NIODeadline) -> Bool {
        failures += 1
        guard failures >= Self.failureLimit, isUsable(now: now) else { return false }
        ejectedUntil = now + pause
        pause = min(pause * 2, Self.longestPause)
        return true
    }

    /// Somebody tries it again; until that is decided, nobody else should.
    mutating func isTried(now: NIODeadline) {
        if ejectedUntil != nil { ejectedUntil = now + pause }
    }
}
