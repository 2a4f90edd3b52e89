/// A limit on the requests of a key, in units. A request costs one unit unless it says otherwise.
public struct LimitRule: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// A leaking bucket: `limit` units in each period, and at most `burst` units at once.
        case rate(period: Duration, burst: Int64)
        /// `limit` units in each calendar period (UTC). All units return at its end.
        case quota(CalendarPeriod)
        /// `limit` units under way.
        case concurrent
    }

    /// 1 to 32 characters of `a-z`, `0-9` and `-`, unique within its list.
    public let name: String
    public let kind: Kind
    /// 1 to `unitLimit`.
    public let limit: Int64
    /// The requests that the limit applies to; empty for all.
    public let match: [RequestPattern]
    /// True if the limit applies only to requests that name it.
    public let isAsked: Bool

    /// The maximum of `limit` and `burst`. Up to there, a `Double` counts units exactly.
    public static let unitLimit: Int64 = 1_000_000_000_000
    /// The periods of a rate.
    public static let periods = Duration.seconds(1)...Duration.seconds(3_600)
    public static let nameLimit = 32
    /// The maximum number of limits of a key, and of a plan.
    public static let countLimit = 8
    /// The maximum number of patterns of a limit.
    public static let matchLimit = 16

    /// Returns nil if a value is out of range.
    public init?(_ name: String, _ kind: Kind, limit: Int64, match: [RequestPattern] = [], isAsked: Bool = false) {
        guard Self.isName(name), (1...Self.unitLimit).contains(limit), match.count <= Self.matchLimit else {
            return nil
        }
        if case .rate(let period, let burst) = kind {
            guard Self.periods.contains(period), (1...Self.unitLimit).contains(burst) else { return nil }
        }
        self.name = name
        self.kind = kind
        self.limit = limit
        self.match = match
        self.isAsked = isAsked
    }

    /// Returns true for the name of a limit or of a plan.
    public static func isName(_ text: String) -> Bool {
        (1...nameLimit).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}

/// A period of the calendar (UTC). A week begins on Monday.
public enum CalendarPeriod: UInt8, Sendable, Hashable, CaseIterable {
    case hour = 1
    case day, week, month

    /// The name in the API: `hour`, `day`, `week` or `month`.
    public var name: String {
        switch self {
        case .hour: "hour"
        case .day: "day"
        case .week: "week"
        case .month: "month"
        }
    }
}

extension LimitRule.Kind {
    /// The number of the kind in `LimitBytes` and in `LimitID`.
    var code: UInt8 {
        switch self {
        case .rate: 0
        case .quota: 1
        case .concurrent: 2
        }
    }
}
