/// The settings of limits.
public struct LimitOptions: Sendable, Equatable {
    public enum Mode: String, Sendable, CaseIterable {
        /// Requests beyond a limit are refused.
        case enforce
        /// All limits only report.
        case report
        /// Limits are neither evaluated nor reported.
        case off
    }

    /// The behavior while the database does not respond.
    public enum Away: String, Sendable, CaseIterable {
        /// Each instance serves the larger of its last share and its even share of a limit.
        case share
        /// Requests beyond a limit are admitted.
        case open
        /// Only units that the instance has leased are served.
        case closed
    }

    /// The treatment of the first request of a key whose credits the instance does not know.
    public enum FirstUse: String, Sendable, CaseIterable {
        /// The request is admitted and debited at once. Credits are overspent by at most one request per instance.
        case trust
        /// The request waits until credits are leased. They are never overspent.
        case wait
    }

    public var mode: Mode
    public var away: Away
    public var firstUse: FirstUse
    /// The maximum number of limits whose state the instance keeps. Beyond it, unknown limits are served by an even
    /// share of their rate.
    public var cells: Int
    /// The maximum number of limits, a second, that the instance reports to the database.
    public var rows: Int

    public init(
        mode: Mode = .enforce, away: Away = .share, firstUse: FirstUse = .trust, cells: Int = 200_000, rows: Int = 5_000
    ) {
        self.mode = mode
        self.away = away
        self.firstUse = firstUse
        self.cells = cells
        self.rows = rows
    }
}
