public import AuthKeys

/// The number of requests with the sums of their sizes and durations.
public struct TrafficSum: Sendable, Equatable {
    public var requests: Int64 = 0
    /// Bytes of the bodies.
    public var bytesIn: Int64 = 0
    public var bytesOut: Int64 = 0
    public var microseconds: Int64 = 0
    public var durations = DurationCounts()

    public init() {}

    /// Counts a request.
    @inline(__always)
    mutating func count(_ line: RequestLine) {
        requests &+= 1
        bytesIn &+= line.bytesIn
        bytesOut &+= line.bytesOut
        microseconds &+= line.microseconds
        durations.count(microseconds: line.microseconds)
    }

    public mutating func add(_ other: TrafficSum) {
        requests += other.requests
        bytesIn += other.bytesIn
        bytesOut += other.bytesOut
        microseconds += other.microseconds
        durations.add(other.durations)
    }
}

/// Numbers of requests by outcome.
public struct OutcomeCounts: Sendable, Equatable {
    /// In the order of the outcomes' numbers, which begin at 1.
    private var counts: InlineArray<5, Int64>

    public init() {
        counts = InlineArray(repeating: 0)
    }

    public subscript(_ outcome: RequestOutcome) -> Int64 {
        @inline(__always) get { counts[Int(outcome.rawValue) - 1] }
        @inline(__always) _modify { yield &counts[Int(outcome.rawValue) - 1] }
    }

    public var total: Int64 {
        var total: Int64 = 0
        for index in 0..<5 { total += counts[index] }
        return total
    }

    public mutating func add(_ other: OutcomeCounts) {
        for index in 0..<5 { counts[index] += other.counts[index] }
    }

    public static func == (left: OutcomeCounts, right: OutcomeCounts) -> Bool {
        for index in 0..<5 where left.counts[index] != right.counts[index] { return false }
        return true
    }
}

/// Requests of several outcomes.
public struct TrafficTotals: Sendable, Equatable {
    public var sum = TrafficSum()
    public var outcomes = OutcomeCounts()

    public init() {}

    public mutating func add(_ other: TrafficTotals) {
        sum.add(other.sum)
        outcomes.add(other.outcomes)
    }

    /// Adds requests of one outcome.
    public mutating func add(_ other: TrafficSum, outcome: RequestOutcome) {
        sum.add(other)
        outcomes[outcome] += other.requests
    }
}
