package import AuthKeys

/// A key. Empty members are omitted; times are RFC 3339 in UTC.
package struct KeyJSON: Codable, Sendable {
    package let id: String
    package let name: String
    package var description: String?
    package var owner: String?
    package var scopes: [String]?
    package var labels: [String: String]?
    package var metadata: [String: JSONValue]?
    package let redactedValue: String
    package let enabled: Bool
    package var expiresAt: String?
    package var notBefore: String?
    package var allowedMethods: [String]?
    package var allowedPaths: [String]?
    package var allowedCIDRs: [String]?
    /// The key's own limits, each an object as in a request.
    package var limits: [JSONValue]?
    package var plan: String?
    package var credits: JSONValue?
    package var reportOnly: [String]?
    /// True if the holder may rotate the key.
    package var selfRotation: Bool?
    package var deactivatedAt: String?
    package let createdAt: String
    package let updatedAt: String
    package let active: Bool
    package let version: Int64
    /// The time at which the newest secret was last used.
    package var secretLastUsedAt: String?
    /// The time at which any secret was last used.
    package var lastUsedAt: String?
    package var lastAddress: String?
    package var lastAgent: String?
    package var requests: Int64?
    /// The secret that a rotation replaced, while it is still valid.
    package var previousSecret: Previous?
    /// The secret; present only in the response that creates it.
    package var value: String?
    /// The id of the rotation; present only in its response.
    package var rotationID: String?

    package struct Previous: Codable, Sendable {
        package let redactedValue: String
        package let expiresAt: String
        package let lastUsedAt: String?

        enum CodingKeys: String, CodingKey {
            case redactedValue = "redacted_value"
            case expiresAt = "expires_at"
            case lastUsedAt = "last_used_at"
        }

        package init(redactedValue: String, expiresAt: String, lastUsedAt: String?) {
            self.redactedValue = redactedValue
            self.expiresAt = expiresAt
            self.lastUsedAt = lastUsedAt
        }
    }

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, name, description, owner, scopes, labels, metadata, enabled, active, version, value
        case requests, limits, plan, credits
        case lastUsedAt = "last_used_at"
        case lastAddress = "last_address"
        case lastAgent = "last_agent"
        case secretLastUsedAt = "secret_last_used_at"
        case previousSecret = "previous_secret"
        case rotationID = "rotation_id"
        case redactedValue = "redacted_value"
        case expiresAt = "expires_at"
        case notBefore = "not_before"
        case allowedMethods = "allowed_methods"
        case allowedPaths = "allowed_paths"
        case allowedCIDRs = "allowed_cidrs"
        case reportOnly = "report_only"
        case selfRotation = "self_rotation"
        case deactivatedAt = "deactivated_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    package init(
        id: String, name: String, redactedValue: String, enabled: Bool, createdAt: String, updatedAt: String,
        active: Bool, version: Int64
    ) {
        self.id = id
        self.name = name
        self.redactedValue = redactedValue
        self.enabled = enabled
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.active = active
        self.version = version
    }
}
