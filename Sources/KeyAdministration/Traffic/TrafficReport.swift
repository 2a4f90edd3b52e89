public import AuthKeys
public import RequestLog

/// Statistics about requests.
public struct TrafficReport: Sendable, Equatable {
    public struct Point: Sendable, Equatable {
        public let at: Timestamp
        public var totals: TrafficTotals

        public init(at: Timestamp, totals: TrafficTotals = TrafficTotals()) {
            self.at = at
            self.totals = totals
        }
    }

    /// The requests with the same entry point, outcome and code.
    public struct Part: Sendable, Equatable {
        public let surface: RequestSurface
        public let outcome: RequestOutcome
        /// Nil for requests without a code.
        public let code: String?
        public let sum: TrafficSum

        public init(surface: RequestSurface, outcome: RequestOutcome, code: String?, sum: TrafficSum) {
            self.surface = surface
            self.outcome = outcome
            self.code = code
            self.sum = sum
        }
    }

    /// The points with requests, oldest first.
    public var points: [Point]
    /// The most frequent parts first; nil if the query is about the requests of keys, whose roll-ups have no entry
    /// points and codes.
    public var parts: [Part]?

    public init(points: [Point] = [], parts: [Part]? = nil) {
        self.points = points
        self.parts = parts
    }

    public var total: TrafficTotals {
        points.reduce(into: TrafficTotals()) { $0.add($1.totals) }
    }
}

/// The roll-ups of requests as statistics read them.
public protocol TrafficReader: Sendable {
    /// Returns the statistics; nil if they would take longer than `TrafficQuery.timeout`. Queries about all requests
    /// and about one key have points of any step, others of hours and days.
    func traffic(_ query: TrafficQuery) async throws(StoreError) -> TrafficReport?
}
