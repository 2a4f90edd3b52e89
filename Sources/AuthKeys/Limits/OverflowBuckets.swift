import Glibc
import Synchronization

/// Serves limits that the table has no room for: each by an even share of its rate, without a row.
///
/// Limits of similar periods with the same hash share a bucket, so that memory is bounded. A bucket is the moment at
/// which it is full again, so that limits of different sizes can share it. A limit of a month must not share it with
/// one of a second, which would be refused for days.
struct OverflowBuckets: ~Copyable, Sendable {
    /// The number of buckets for periods of one class.
    private static let count = 1_024
    /// The number of classes: the longest period of a class is eight times its shortest.
    private static let classes = 8
    private let fullAt: Mutex<[Double]>

    init() {
        fullAt = Mutex(Array(repeating: 0, count: Self.count * Self.classes))
    }

    /// Takes units. Returns the units that are left, and the seconds until the cost fits, 0 if it was taken.
    func take(
        _ cost: Double, of id: LimitID, terms: LimitTerms, at now: Double, in circumstances: LimitCircumstances
    ) -> (remaining: Double, wait: Double) {
        let rate = terms.rate / circumstances.instances
        let burst = max(1, terms.burst / circumstances.instances)
        let period = min(Double(Self.classes - 1), log2(max(1, burst / rate)) / 3)
        let index = Int(period) * Self.count + Int(truncatingIfNeeded: id.low % UInt64(Self.count))
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
