import AuthKeys
import ControlBodies
import HTTPTypes
import HummingbirdCore
import KeyAdministration

extension HTTPField.Name {
    /// A warning for the caller in a successful response.
    static var keywardWarning: HTTPField.Name { HTTPField.Name("X-Keyward-Warning") ?? .server }
}

/// The query of `GET /{id}/usage`.
struct UsageParameters {
    static let names = ["days", "hours"]
    let days: Int
    let hours: Int

    init(_ uri: URI) throws(APIError) {
        let parameters = try QueryParameters(uri)
        days = try Self.number("days", in: 1...400, parameters) ?? 30
        hours = try Self.number("hours", in: 0...744, parameters) ?? 24
    }

    private static func number(
        _ name: String, in limits: ClosedRange<Int>, _ parameters: QueryParameters
    ) throws(APIError) -> Int? {
        guard let text = parameters[name] else { return nil }
        guard let number = Int(text), limits.contains(number) else {
            throw .validation(
                "\(name) must be a number from \(limits.lowerBound) to \(limits.upperBound)", param: name)
        }
        return number
    }
}

extension UsageJSON {
    init(_ report: KeyUsageReport, days: TrafficReport, hours: TrafficReport) {
        self.init(
            requests: report.usage.requests, days: report.days.map(Day.init), secrets: report.secrets.map(Secret.init))
        lastUsedAt = report.usage.lastUsedAt?.description
        lastAddress = report.usage.lastAddress
        lastAgent = report.usage.lastAgent
        traffic = TrafficJSON(days.total)
        self.hours = TrafficJSON.points(hours).reversed()
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
