public import AuthKeys

/// The period, the steps and the keys of statistics about requests.
public struct TrafficQuery: Sendable, Equatable {
    /// The length of a point in time, in UTC.
    public enum Step: String, Sendable, CaseIterable {
        case minute, hour, day

        public var microseconds: Int64 {
            switch self {
            case .minute: 60_000_000
            case .hour: 3_600_000_000
            case .day: 86_400_000_000
            }
        }
    }

    /// The maximum number of points of a series.
    public static let pointsLimit = 1_500
    /// The longest period of the requests of a key by minute, in hours. They are counted line by line in the log.
    public static let hoursByMinuteLimit: Int64 = 6
    /// The maximum number of parts in a breakdown.
    public static let partsLimit = 100
    /// The longest time that the database may work on a query.
    public static let timeout = Duration.seconds(5)

    public let step: Step
    /// The beginning of the first point.
    public let since: Timestamp
    /// The end of the last point.
    public let until: Timestamp
    /// Matches requests of this key. A deleted key has no owner and no labels, but its requests are still counted.
    public var keyID: KeyID?
    /// Matches requests of keys that these owners have now.
    public var owner: OwnerFilter?
    /// Matches requests of keys that have a label of this name now, and of this value unless nil.
    public var labelName: String?
    public var labelValue: String?

    /// - Parameters:
    ///   - since: a time in the first point.
    ///   - until: a time after the first point's beginning. The last point is the one before it, or the one that
    ///     contains it.
    /// - Throws: `.invalid` for an empty period, or one with too many points.
    public init(step: Step, since: Timestamp, until: Timestamp) throws(AuthKeyError) {
        let length = step.microseconds
        let first = Self.index(of: since, length)
        let last = Self.index(of: Timestamp(microseconds: until.microseconds - 1), length)
        guard since < until else { throw .invalid(param: "since", message: "since must be before until") }
        guard last - first < Self.pointsLimit else {
            throw .invalid(
                param: "since",
                message: """
                    the period has \(last - first + 1) steps of one \(step.rawValue), and at most \(Self.pointsLimit) are \
                    possible: choose a shorter period or a longer step
                    """)
        }
        self.step = step
        self.since = Timestamp(microseconds: first * length)
        self.until = Timestamp(microseconds: (last + 1) * length)
    }

    /// True if the query is about all requests, with and without a key.
    public var isAboutAllRequests: Bool { keyID == nil && owner == nil && labelName == nil }

    /// True if the requests are those of one key by minute.
    public var isAboutMinutesOfKey: Bool { step == .minute && keyID != nil }

    /// The beginnings of all points.
    public var points: StrideTo<Int64> {
        stride(from: since.microseconds, to: until.microseconds, by: Int(step.microseconds))
    }

    /// Returns the number of the step that a time lies in, from 1970-01-01.
    private static func index(of time: Timestamp, _ length: Int64) -> Int64 {
        let (quotient, remainder) = time.microseconds.quotientAndRemainder(dividingBy: length)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
