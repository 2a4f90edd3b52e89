/// The admitted requests of a secret on one day.
public struct UsageCount: Sendable, Equatable {
    public let digest: SecretDigest
    public let keyID: KeyID
    /// Days since 1970-01-01, in UTC.
    public let day: Int32
    public var requests: Int64
    public var lastUsedAt: Timestamp
    /// The client address of the last sampled request; requests are sampled at least once a second.
    public var address: IPAddress?
    /// The client program of the last sampled request.
    public var agent: String?

    public init(
        digest: SecretDigest, keyID: KeyID, day: Int32, requests: Int64, lastUsedAt: Timestamp,
        address: IPAddress? = nil, agent: String? = nil
    ) {
        self.digest = digest
        self.keyID = keyID
        self.day = day
        self.requests = requests
        self.lastUsedAt = lastUsedAt
        self.address = address
        self.agent = agent
    }

    /// Adds another count of the same secret and day.
    public mutating func add(_ other: UsageCount) {
        requests += other.requests
        guard other.lastUsedAt >= lastUsedAt else { return }
        lastUsedAt = other.lastUsedAt
        address = other.address ?? address
        agent = other.agent ?? agent
    }

    static let microsecondsPerDay: Int64 = 86_400_000_000
}
