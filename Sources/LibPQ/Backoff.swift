/// Waiting between attempts: doubling, capped, with full jitter, so that many clients of a returning server spread out
/// (M. Brooker, "Exponential Backoff And Jitter").
struct Backoff {
    var base: Duration = .milliseconds(25)
    var cap: Duration = .milliseconds(500)
    private(set) var failures = 0

    /// How long to wait after one more failure; `fraction` is a random number from 0 to 1.
    mutating func failed(fraction: Double) -> Duration {
        failures += 1
        let ceiling = min(cap, base * (1 << min(failures, 16)))
        return ceiling * fraction
    }

    mutating func succeeded() { failures = 0 }
}
