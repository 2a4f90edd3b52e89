import Synchronization

/// Serves limits that the table has no room for: each by an even share of its rate, without a row.
///
/// Limits with the same hash share a bucket, so that memory is bounded. A bucket is the moment at which it is full
/// again, so that limits of different sizes can share it.
struct OverflowBuckets: ~Copyable, Sendable {
    private static let count = 4_096
    private let fullAt: Mutex<[Double]>

    init() {
        fullAt = Mutex(Array(repeating: 0, count: Self.count))
    }

    /// Takes units. Returns the units that are left, and the seconds until the cost fits, 0 if it was taken.
    func take(
        _ cost: Double, of id: LimitID, terms: LimitTerms, at now: Double, in circumstances: LimitCircumstances
    ) -> (remaining: Double, wait: Double) {
        let rate = terms.rate / circumstances.instances
        let burst = max(1, terms.burst / circumstances.instances)
        let index = Int(truncatingIfNeeded: id.low % UInt64(Self.count))
        return fullAt.withLock { fullAt in
            let taken = max(0, fullAt[index] - now) * rate
            guard taken + max(1, cost) <= burst + 1e-6 else {
                return (max(0, burst - taken), (taken + max(1, cost) - burst) / rate)
            }
            fullAt[index] = now + (taken + cost) / rate
            return (burst - taken - cost, 0)
        }
    }
}
