/// The use of a key, by day and by secret.
package struct UsageJSON: Codable, Sendable {
    package struct Day: Codable, Sendable {
        /// RFC 3339 `full-date`, in UTC.
        package let day: String
        package let requests: Int64

        package init(day: String, requests: Int64) {
            self.day = day
            self.requests = requests
        }
    }

    package struct Secret: Codable, Sendable {
        package let redactedValue: String
        package let createdAt: String
        package var expiresAt: String?
        package var lastUsedAt: String?
        package let requests: Int64
        package let days: [Day]

        enum CodingKeys: String, CodingKey {
            case requests, days
            case redactedValue = "redacted_value"
            case createdAt = "created_at"
            case expiresAt = "expires_at"
            case lastUsedAt = "last_used_at"
        }

        package init(redactedValue: String, createdAt: String, requests: Int64, days: [Day]) {
            self.redactedValue = redactedValue
            self.createdAt = createdAt
            self.requests = requests
            self.days = days
        }
    }

    package var lastUsedAt: String?
    package var lastAddress: String?
    package var lastAgent: String?
    package let requests: Int64
    package let days: [Day]
    package let secrets: [Secret]
    /// The requests of the whole period of `days`, refused ones included. Nil from instances of an earlier version.
    package var traffic: TrafficJSON?
    /// Hours with requests, newest first.
    package var hours: [TrafficJSON.Point]?

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case requests, days, secrets, traffic, hours
        case lastUsedAt = "last_used_at"
        case lastAddress = "last_address"
        case lastAgent = "last_agent"
    }

    package init(requests: Int64, days: [Day], secrets: [Secret]) {
        self.requests = requests
        self.days = days
        self.secrets = secrets
    }
}
