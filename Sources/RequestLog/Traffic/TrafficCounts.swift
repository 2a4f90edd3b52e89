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

/// Requests that a ledger counted: all of them by minute, and those with a key by hour too.
public struct TrafficCounts: Sendable {
    public var minutes: [MinuteCount]
    public var hours: [HourCount]

    public init(minutes: [MinuteCount] = [], hours: [HourCount] = []) {
        self.minutes = minutes
        self.hours = hours
    }

    public var isEmpty: Bool { minutes.isEmpty }
}
