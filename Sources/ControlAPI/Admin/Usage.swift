import AuthKeys
import HTTPTypes
import HummingbirdCore

extension HTTPField.Name {
    /// A warning for the caller in a successful response.
    static var keywardWarning: HTTPField.Name { HTTPField.Name("X-Keyward-Warning") ?? .server }
}

/// The query of `GET /{id}/usage`.
struct UsageParameters {
    static let limits = 1...400
    let days: Int

    init(_ uri: URI) throws(APIError) {
        guard let text = try QueryParameters(uri)["days"] else {
            days = 30
            return
        }
        guard let days = Int(text), Self.limits.contains(days) else {
            throw .validation(
                "days must be a number from \(Self.limits.lowerBound) to \(Self.limits.upperBound)", param: "days")
        }
        self.days = days
    }
}

/// The usage of a key in the API's JSON.
struct UsageJSON: Encodable {
    struct Day: Encodable {
        /// RFC 3339 `full-date`, in UTC.
        let day: String
        let requests: Int64
    }

    struct Secret: Encodable {
        let redactedValue: String
        let createdAt: String
        let expiresAt: String?
        let lastUsedAt: String?
        let requests: Int64
        let days: [Day]

        enum CodingKeys: String, CodingKey {
            case requests, days
            case redactedValue = "redacted_value"
            case createdAt = "created_at"
            case expiresAt = "expires_at"
            case lastUsedAt = "last_used_at"
        }
    }

    let lastUsedAt: String?
    let lastAddress: String?
    let lastAgent: String?
    let requests: Int64
    let days: [Day]
    let secrets: [Secret]

    enum CodingKeys: String, CodingKey, CaseIterable {
        case requests, days, secrets
        case lastUsedAt = "last_used_at"
        case lastAddress = "last_address"
        case lastAgent = "last_agent"
    }

    init(_ report: KeyUsageReport) {
        lastUsedAt = report.usage.lastUsedAt?.description
        lastAddress = report.usage.lastAddress
        lastAgent = report.usage.lastAgent
        requests = report.usage.requests
        days = report.days.map(Self.day)
        secrets = report.secrets.map { secret in
            Secret(
                redactedValue: secret.redactedValue, createdAt: secret.createdAt.description,
                expiresAt: secret.expiresAt?.description, lastUsedAt: secret.lastUsedAt?.description,
                requests: secret.requests, days: secret.days.map(Self.day))
        }
    }

    private static func day(_ day: KeyUsageReport.Day) -> Day {
        let start = Timestamp(microseconds: Int64(day.number) * 86_400_000_000)
        return Day(day: String(start.description.prefix(10)), requests: day.requests)
    }
}
