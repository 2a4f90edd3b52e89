/// A key's use, day by day.
public struct KeyUsageReport: Sendable, Equatable {
    /// The requests of a day of UTC.
    public struct Day: Sendable, Equatable {
        /// Since 1970-01-01.
        public let number: Int32
        public let requests: Int64

        public init(number: Int32, requests: Int64) {
            self.number = number
            self.requests = requests
        }
    }

    /// The use of one of the key's secrets.
    public struct Secret: Sendable, Equatable {
        public let redactedValue: String
        public let createdAt: Timestamp
        public let expiresAt: Timestamp?
        public let lastUsedAt: Timestamp?
        public let requests: Int64
        /// Only days with requests, newest first.
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
    /// Only days with requests, newest first.
    public let days: [Day]
    /// Newest first.
    public let secrets: [Secret]

    public init(usage: KeyUsage, days: [Day], secrets: [Secret]) {
        self.usage = usage
        self.days = days
        self.secrets = secrets
    }
}

/// How a key was used, as far as it was written down: what running instances have counted since is on its way.
public struct KeyUsage: Sendable, Equatable {
    /// Nil for never.
    public let lastUsedAt: Timestamp?
    /// Where the last request came from.
    public let lastAddress: String?
    /// What sent it: the name of a program or a browser.
    public let lastAgent: String?
    /// Requests that were let in.
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
    /// Whether a use at that moment is so recent that whoever ends the key should know: within seven days.
    public func isRecentUse(at now: Timestamp) -> Bool {
        advanced(by: .seconds(7 * 86_400)) > now
    }
}
