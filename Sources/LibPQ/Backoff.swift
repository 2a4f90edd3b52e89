/// Exponential backoff between attempts: each delay doubles up to a cap, with full jitter, so that the clients of a
/// restarted server spread out (M. Brooker, "Exponential Backoff And Jitter").
package struct Backoff {
    private let base: Duration
    private let cap: Duration
    package private(set) var failures = 0

    /// Creates a backoff whose first delay is at most `base` and whose later delays are at most `cap`.
    package init(base: Duration = .milliseconds(25), cap: Duration = .milliseconds(500)) {
        self.base = base
        self.cap = cap
    }

    /// Returns the delay after one more failure. `fraction` is a random number from 0 to 1.
    package mutating func failed(fraction: Double) -> Duration {
        failures += 1
        let ceiling = min(cap, base * (1 << min(failures, 16)))
        return ceiling * fraction
    }

    mutating func succeeded() { failures = 0 }
}
