import AuthKeys

/// The limits of the log in PostgreSQL. The one that is reached first applies. Zero means no limit.
public struct RequestLogRetention: Sendable, Hashable {
    /// The minimum age at which lines are deleted, in days.
    public var days: Int
    /// The size of all partitions with their indexes. It may be exceeded by the partition of today.
    public var bytes: Int

    /// Creates limits of 7 days and 20 GB.
    public init(days: Int = 7, bytes: Int = 20_000_000_000) {
        self.days = days
        self.bytes = bytes
    }

    /// Returns the time before which lines are no longer kept; nil without a limit of age.
    func oldest(at now: Timestamp) -> Timestamp? {
        days > 0 ? now.advanced(by: .seconds(-86_400 * days)) : nil
    }
}
