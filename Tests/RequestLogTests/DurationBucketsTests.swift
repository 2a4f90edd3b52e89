import AuthKeys
import TestSupport
import Testing

@Suite("Duration buckets")
struct DurationBucketsTests {
    @Test("a bucket includes its upper bound, and the last one has none")
    func bounds() {
        #expect(DurationBuckets.count == DurationBuckets.bounds.count + 1)
        for (index, bound) in DurationBuckets.bounds.enumerated() {
            #expect(DurationBuckets.index(ofMicroseconds: bound) == index)
            #expect(DurationBuckets.index(ofMicroseconds: bound + 1) == index + 1)
        }
        #expect(DurationBuckets.index(ofMicroseconds: -1) == 0)
        #expect(DurationBuckets.index(ofMicroseconds: .max) == DurationBuckets.count - 1)
    }

    @Test("an estimated percentile lies in the bucket of the exact one")
    func percentiles() throws {
        var random = SeededRandom(state: 15)
        for round in 0..<300 {
            // From microseconds to hours, evenly by magnitude.
            let durations = (0..<Int.random(in: 1...500, using: &random)).map { _ in
                Int64.random(in: 0...(1 << Int64.random(in: 1...32, using: &random)), using: &random)
            }
            var counts = DurationCounts()
            for duration in durations { counts.count(microseconds: duration) }
            #expect(counts.total == Int64(durations.count))
            let sorted = durations.sorted()
            for part in [0.001, 0.5, 0.95, 0.99, 1] {
                let rank = max(1, Int((part * Double(sorted.count)).rounded(.up)))
                let exact = sorted[rank - 1]
                let estimate = try #require(counts.percentile(part))
                let bucket = DurationBuckets.index(ofMicroseconds: exact)
                let lower = bucket == 0 ? 0 : Double(DurationBuckets.bounds[bucket - 1])
                if bucket == DurationBuckets.count - 1 {
                    #expect(estimate == lower, "round \(round)")
                } else {
                    let upper = Double(DurationBuckets.bounds[bucket])
                    #expect(estimate > lower && estimate <= upper, "round \(round)")
                    #expect(abs(estimate - Double(exact)) <= upper - lower, "round \(round)")
                }
            }
        }
        #expect(DurationCounts().percentile(0.5) == nil)
    }

    @Test("counts are added bucket by bucket, and further buckets belong to the last one")
    func sums() {
        var counts = DurationCounts((1...16).map { Int64($0) })
        counts.add(DurationCounts(Array(repeating: 10, count: 18)))
        #expect((0..<16).map { counts[$0] } == (1...15).map { Int64($0) + 10 } + [46])
        #expect(counts == DurationCounts((1...15).map { Int64($0) + 10 } + [46]) && counts != DurationCounts())
        #expect(DurationCounts([3]).total == 3)
    }
}
