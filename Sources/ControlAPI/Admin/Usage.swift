import AuthKeys
import ControlBodies
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

extension UsageJSON {
    init(_ report: KeyUsageReport) {
        self.init(
            requests: report.usage.requests, days: report.days.map(Day.init), secrets: report.secrets.map(Secret.init))
        lastUsedAt = report.usage.lastUsedAt?.description
        lastAddress = report.usage.lastAddress
        lastAgent = report.usage.lastAgent
    }
}

extension UsageJSON.Secret {
    init(_ secret: KeyUsageReport.Secret) {
        self.init(
            redactedValue: secret.redactedValue, createdAt: secret.createdAt.description, requests: secret.requests,
            days: secret.days.map(UsageJSON.Day.init))
        expiresAt = secret.expiresAt?.description
        lastUsedAt = secret.lastUsedAt?.description
    }
}

extension UsageJSON.Day {
    init(_ day: KeyUsageReport.Day) {
        let start = Timestamp(microseconds: Int64(day.number) * 86_400_000_000)
        self.init(day: String(start.description.prefix(10)), requests: day.requests)
    }
}
