package import AuthKeys

/// An instance. Times are RFC 3339 in UTC, of the database's clock.
package struct InstanceJSON: Codable, Sendable {
    package let id: String
    package let name: String
    package let version: String
    package let kind: String
    package let startedAt: String
    package let seenAt: String
    package let live: Bool
    /// Omitted if it is unknown.
    package var indexAgeSeconds: Double?
    /// Omitted if it is unknown.
    package var lag: Int?
    package let figures: JSONValue

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, name, version, kind, live, lag, figures
        case startedAt = "started_at"
        case seenAt = "seen_at"
        case indexAgeSeconds = "index_age_seconds"
    }

    package init(
        id: String, name: String, version: String, kind: String, startedAt: String, seenAt: String, live: Bool,
        figures: JSONValue
    ) {
        self.id = id
        self.name = name
        self.version = version
        self.kind = kind
        self.startedAt = startedAt
        self.seenAt = seenAt
        self.live = live
        self.figures = figures
    }
}
