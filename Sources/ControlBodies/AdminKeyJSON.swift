/// An admin key. Empty members are omitted; times are RFC 3339 in UTC.
package struct AdminKeyJSON: Codable, Sendable {
    package let id: String
    package let name: String
    package let permissions: [String]
    package var owner: String?
    package let redactedValue: String
    package var expiresAt: String?
    package var deactivatedAt: String?
    package let createdAt: String
    package let updatedAt: String
    package var lastUsedAt: String?
    package let active: Bool
    package let version: Int64
    /// The secret; present only in the response that creates it.
    package var value: String?

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, name, permissions, owner, active, version, value
        case redactedValue = "redacted_value"
        case expiresAt = "expires_at"
        case deactivatedAt = "deactivated_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case lastUsedAt = "last_used_at"
    }

    package init(
        id: String, name: String, permissions: [String], redactedValue: String, createdAt: String, updatedAt: String,
        active: Bool, version: Int64
    ) {
        self.id = id
        self.name = name
        self.permissions = permissions
        self.redactedValue = redactedValue
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.active = active
        self.version = version
    }
}
