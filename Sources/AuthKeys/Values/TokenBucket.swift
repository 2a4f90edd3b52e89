/// A token bucket: rate and burst.
package struct TokenBucket: Sendable {
    private let perSecond: Double
    private let burst: Double
    private var tokens: Double
    private var refilledAt: Duration

    /// Creates a full bucket.
    /// - Parameter now: a time of a clock that never goes back.
    package init(perSecond: Int, burst: Int, now: Duration) {
        self.perSecond = Double(perSecond)
        self.burst = Double(burst)
        tokens = Double(burst)
        refilledAt = now
    }

    /// Takes tokens. Returns false, and takes none, if there are fewer.
    package mutating func take(_ count: Double = 1, now: Duration) -> Bool {
        guard has(count, now: now) else { return false }
        tokens -= count
        return true
    }

    /// Returns true if there are at least so many tokens.
    package mutating func has(_ count: Double = 1, now: Duration) -> Bool {
        add((now - refilledAt) / .seconds(1) * perSecond)
        refilledAt = now
        return tokens >= count
    }

    /// Adds tokens that were earned otherwise than by time.
    package mutating func add(_ count: Double) {
        tokens = min(tokens + count, burst)
    }
}
