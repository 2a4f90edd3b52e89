import AuthKeys

/// A key in the API's JSON. Empty members are omitted; times are RFC 3339 in UTC.
struct KeyJSON: Encodable {
    let id: String
    let name: String
    let description: String?
    let owner: String?
    let scopes: [String]?
    let labels: [String: String]?
    let metadata: [String: JSONValue]?
    let redactedValue: String
    let enabled: Bool
    let expiresAt: String?
    let notBefore: String?
    let allowedMethods: [String]?
    let allowedPaths: [String]?
    let allowedCIDRs: [String]?
    let reportOnly: [String]?
    let deactivatedAt: String?
    let createdAt: String
    let updatedAt: String
    let active: Bool
    let version: Int64
    /// The time at which the newest secret was last used.
    let secretLastUsedAt: String?
    /// The time at which any secret was last used.
    let lastUsedAt: String?
    let lastAddress: String?
    let lastAgent: String?
    let requests: Int64?
    /// The secret that a rotation replaced, while it is still valid.
    let previousSecret: Previous?
    /// The secret; present only in the response that creates it.
    let value: String?
    /// The id of the rotation; present only in its response.
    let rotationID: String?

    struct Previous: Encodable {
        let redactedValue: String
        let expiresAt: String
        let lastUsedAt: String?

        enum CodingKeys: String, CodingKey {
            case redactedValue = "redacted_value"
            case expiresAt = "expires_at"
            case lastUsedAt = "last_used_at"
        }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case id, name, description, owner, scopes, labels, metadata, enabled, active, version, value
        case requests
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
        case deactivatedAt = "deactivated_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    init(_ key: AuthKey, now: Timestamp, secret: Token? = nil, rotation: KeyID? = nil) {
        id = key.id.description
        name = key.name
        description = key.description.isEmpty ? nil : key.description
        owner = key.owner
        func list(_ entries: [String]) -> [String]? { entries.isEmpty ? nil : entries }
        scopes = list(key.scopes)
        notBefore = key.notBefore?.description
        allowedMethods = list(key.allowedMethods)
        allowedPaths = list(key.allowedPaths)
        allowedCIDRs = list(key.allowedCIDRs)
        reportOnly = list(key.reportOnly)
        labels = key.labels.isEmpty ? nil : key.labels
        metadata = key.metadata.isEmpty ? nil : key.metadata
        previousSecret = key.previous.map {
            Previous(
                redactedValue: $0.redactedValue, expiresAt: $0.expiresAt.description,
                lastUsedAt: $0.lastUsedAt?.description)
        }
        secretLastUsedAt = key.secretLastUsedAt?.description
        lastUsedAt = key.usage.lastUsedAt?.description
        lastAddress = key.usage.lastAddress
        lastAgent = key.usage.lastAgent
        requests = key.usage.requests == 0 ? nil : key.usage.requests
        rotationID = rotation?.description
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
