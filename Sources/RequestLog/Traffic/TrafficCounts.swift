public import AuthKeys

/// The requests of a minute with the same entry point, outcome and code.
public struct MinuteCount: Sendable, Equatable {
    public struct Group: Hashable, Sendable {
        /// Minutes since 1970-01-01, in UTC.
        public var minute: Int64
        public let surface: RequestSurface
        public let outcome: RequestOutcome
        /// Empty for requests without a code.
        public let code: String

        public init(minute: Int64, surface: RequestSurface, outcome: RequestOutcome, code: String) {
            self.minute = minute
            self.surface = surface
            self.outcome = outcome
            self.code = code
        }
    }

    public let group: Group
    public var sum = TrafficSum()

    public init(_ group: Group, _ sum: TrafficSum = TrafficSum()) {
        self.group = group
        self.sum = sum
    }

    public var startsAt: Timestamp { Timestamp(microseconds: group.minute &* TrafficLedger.microsecondsPerMinute) }
}

/// The requests of a key in an hour.
public struct HourCount: Sendable, Equatable {
    public struct Group: Hashable, Sendable {
        public let keyID: KeyID
        /// Hours since 1970-01-01, in UTC.
        public var hour: Int64

        public init(keyID: KeyID, hour: Int64) {
            self.keyID = keyID
            self.hour = hour
        }
    }

    public let group: Group
    public var totals = TrafficTotals()

    public init(_ group: Group, _ totals: TrafficTotals = TrafficTotals()) {
        self.group = group
        self.totals = totals
    }

    public var startsAt: Timestamp { Timestamp(microseconds: group.hour &* TrafficLedger.microsecondsPerHour) }
}

/// The requests of a key in an hour, as a ledger counts them: 128 bytes, because entries of many keys are not in the
/// cache of the CPU. A ledger is taken long before a counter overflows.
struct HourEntry: Sendable {
    let keyID: KeyID
    let hour: Int32
    /// In the order of the outcomes' numbers, which begin at 1.
    private var outcomes: InlineArray<5, UInt32>
    private var bytesIn: Int64 = 0
    private var bytesOut: Int64 = 0
    private var microseconds: Int64 = 0
    private var durations: InlineArray<16, UInt32>

    init(keyID: KeyID, hour: Int32) {
        self.keyID = keyID
        self.hour = hour
        outcomes = InlineArray(repeating: 0)
        durations = InlineArray(repeating: 0)
    }

    @inline(__always)
    mutating func count(_ line: RequestLine) {
        outcomes[Int(line.outcome.rawValue) - 1] &+= 1
        bytesIn &+= line.bytesIn
        bytesOut &+= line.bytesOut
        microseconds &+= line.microseconds
        durations[DurationBuckets.index(ofMicroseconds: line.microseconds)] &+= 1
    }

    var count: HourCount {
        var count = HourCount(HourCount.Group(keyID: keyID, hour: Int64(hour)))
        for outcome in RequestOutcome.allCases {
            count.totals.outcomes[outcome] = Int64(outcomes[Int(outcome.rawValue) - 1])
        }
        count.totals.sum.requests = count.totals.outcomes.total
        (count.totals.sum.bytesIn, count.totals.sum.bytesOut) = (bytesIn, bytesOut)
        count.totals.sum.microseconds = microseconds
        count.totals.sum.durations = DurationCounts(durations.indices.lazy.map { Int64(durations[$0]) })
        return count
    }
}

/// Requests that a ledger counted: all of them by minute, and those with a key by hour too.
public struct TrafficCounts: Sendable {
    public var minutes: [MinuteCount]
    private var wholeHours: [HourCount] = []
    /// Converted by the recorder, not by the event loop that counted them.
    private var entries: [HourEntry] = []

    public init(minutes: [MinuteCount] = [], hours: [HourCount] = []) {
        self.minutes = minutes
        wholeHours = hours
    }

    init(minutes: [MinuteCount], entries: [HourEntry]) {
        self.minutes = minutes
        self.entries = entries
    }

    public var hours: [HourCount] {
        get { wholeHours + entries.lazy.map(\.count) }
        set { (wholeHours, entries) = (newValue, []) }
    }

    public var isEmpty: Bool { minutes.isEmpty }
}
