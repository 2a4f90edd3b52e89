/// The usage of a key, by day.
public struct KeyUsageReport: Sendable, Equatable {
    /// The number of requests on a UTC day.
    public struct Day: Sendable, Equatable {
        /// Days since 1970-01-01.
        public let number: Int32
        public let requests: Int64

        public init(number: Int32, requests: Int64) {
            self.number = number
            self.requests = requests
        }
    }

    /// The usage of one of the key's secrets.
    public struct Secret: Sendable, Equatable {
        public let redactedValue: String
        public let createdAt: Timestamp
        public let expiresAt: Timestamp?
        public let lastUsedAt: Timestamp?
        public let requests: Int64
        /// Days with requests, newest first.
        public let days: [Day]

        public init(
            prefix: String, lastFour: String, createdAt: Timestamp, expiresAt: Timestamp?, lastUsedAt: Timestamp?,
            requests: Int64, days: [Day]
        ) {
            redactedValue = AuthKey.redact(prefix: prefix, lastFour: lastFour)
            self.createdAt = createdAt
            self.expiresAt = expiresAt
            self.lastUsedAt = lastUsedAt
            self.requests = requests
            self.days = days
        }
    }

    public let usage: KeyUsage
    /// Days with requests, newest first.
    public let days: [Day]
    /// Newest first.
    public let secrets: [Secret]

    public init(usage: KeyUsage, days: [Day], secrets: [Secret]) {
        self.usage = usage
        self.days = days
        self.secrets = secrets
    }
}

/// The usage of a key as stored. Requests that running instances have counted since are not included.
public struct KeyUsage: Sendable, Equatable {
    /// Nil for never.
    public let lastUsedAt: Timestamp?
    /// The client address of the last request.
    public let lastAddress: String?
    /// The client of the last request: the name of a program or a browser.
    public let lastAgent: String?
    /// The number of admitted requests.
    public let requests: Int64

    public init(
        lastUsedAt: Timestamp? = nil, lastAddress: String? = nil, lastAgent: String? = nil, requests: Int64 = 0
    ) {
        self.lastUsedAt = lastUsedAt
        self.lastAddress = lastAddress
        self.lastAgent = lastAgent
        self.requests = requests
    }
}

extension Timestamp {
    /// Returns true if a use at that time is so recent, within seven days, that an admin who revokes the key should
    /// learn of it.
    public func isRecentUse(at now: Timestamp) -> Bool {
        advanced(by: .seconds(7 * 86_400)) > now
    }
}
