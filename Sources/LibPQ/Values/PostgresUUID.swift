/// The 16 bytes of a UUID (RFC 9562), as PostgreSQL's `uuid` sends them.
public struct PostgresUUID: Hashable, Sendable {
    /// The first eight bytes, read big-endian.
    public var high: UInt64
    /// The last eight bytes, read big-endian.
    public var low: UInt64

    /// Creates a UUID from two big-endian words.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}
