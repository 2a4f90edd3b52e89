import AuthKeys

/// A key as the API shows it. What is empty is left out; moments are RFC 3339 in UTC.
struct KeyJSON: Encodable {
    let id: String
    let name: String
    let description: String?
    let owner: String?
    let scopes: [String]?
    let redactedValue: String
    let enabled: Bool
    let expiresAt: String?
    let deactivatedAt: String?
    let createdAt: String
    let updatedAt: String
    let active: Bool
    let version: Int64
    /// The secret: only in the answer that made it.
    let value: String?

    enum CodingKeys: String, CodingKey {
        case id, name, description, owner, scopes, enabled, active, version, value
        case redactedValue = "redacted_value"
        case expiresAt = "expires_at"
        case deactivatedAt = "deactivated_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    init(_ key: AuthKey, now: Timestamp, secret: Token? = nil) {
        id = key.id.description
        name = key.name
        description = key.description.isEmpty ? nil : key.description
        owner = key.owner
        scopes = key.scopes.isEmpty ? nil : key.scopes
        redactedValue = key.redactedValue
        enabled = key.enabled
        expiresAt = key.expiresAt?.description
        deactivatedAt = key.deactivatedAt?.description
        createdAt = key.createdAt.description
        updatedAt = key.updatedAt.description
        active = key.isActive(at: now)
        version = key.version
        value = secret?.value
    }
}
