/// The buckets of durations, in the histograms of the metrics and in the roll-ups of requests. The roll-ups are stored,
/// so the bounds must not change.
public enum DurationBuckets {
    /// The upper bounds of all buckets but the last, in microseconds. A bucket includes its upper bound, and the last
    /// one has none.
    public static let bounds: [Int64] = [
        250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000,
    ]

    /// The number of buckets.
    public static let count = 16

    /// Returns the bucket of a duration.
    @inline(__always)
    public static func index(ofMicroseconds duration: Int64) -> Int {
        switch duration {
        case ...250: 0
        case ...500: 1
        case ...1_000: 2
        case ...2_500: 3
        case ...5_000: 4
        case ...10_000: 5
        case ...25_000: 6
        case ...50_000: 7
        case ...100_000: 8
        case ...250_000: 9
        case ...500_000: 10
        case ...1_000_000: 11
        case ...2_500_000: 12
        case ...5_000_000: 13
        case ...10_000_000: 14
        default: 15
        }
    }
}

/// Durations, counted by bucket.
public struct DurationCounts: Sendable, Equatable {
    private var counts: InlineArray<16, Int64>

    public init() {
        counts = InlineArray(repeating: 0)
    }

    /// - Parameter counts: one count a bucket. Missing ones are 0, further ones belong to the last bucket.
    public init(_ counts: some Sequence<Int64>) {
        self.init()
        for (index, count) in counts.enumerated() { self.counts[min(index, DurationBuckets.count - 1)] += count }
    }

    /// The number of durations in a bucket.
    public subscript(_ bucket: Int) -> Int64 { counts[bucket] }

    /// The number of all durations.
    public var total: Int64 {
        var total: Int64 = 0
        for bucket in 0..<DurationBuckets.count { total += counts[bucket] }
        return total
    }

    /// Counts a duration.
    @inline(__always)
    public mutating func count(microseconds duration: Int64) {
        counts[DurationBuckets.index(ofMicroseconds: duration)] &+= 1
    }

    public mutating func add(_ other: DurationCounts) {
        for bucket in 0..<DurationBuckets.count { counts[bucket] += other.counts[bucket] }
    }

    /// Returns an estimate of the duration that a part of the durations does not exceed, in microseconds; nil without
    /// durations.
    ///
    /// The bucket of the percentile is exact, and the estimate assumes that its durations are uniformly distributed.
    /// The error is thus smaller than the width of the bucket. The last bucket has no width: its estimate is its lower
    /// bound, ten seconds, and the true percentile is longer.
    /// - Parameter part: 0 to 1, such as 0.95.
    public func percentile(_ part: Double) -> Double? {
        let total = total
        guard total > 0 else { return nil }
        // The number of durations that do not exceed the percentile ("nearest rank").
        let rank = max(1, (part * Double(total)).rounded(.up))
        var before: Int64 = 0
        for bucket in 0..<(DurationBuckets.count - 1) {
            let count = counts[bucket]
            if count > 0, Double(before + count) >= rank {
                let lower = bucket == 0 ? 0 : Double(DurationBuckets.bounds[bucket - 1])
                let width = Double(DurationBuckets.bounds[bucket]) - lower
                return lower + width * (rank - Double(before)) / Double(count)
            }
            before += count
        }
        return DurationBuckets.bounds.last.map(Double.init)
    }

    public static func == (left: DurationCounts, right: DurationCounts) -> Bool {
        for bucket in 0..<DurationBuckets.count where left.counts[bucket] != right.counts[bucket] { return false }
        return true
    }
}
