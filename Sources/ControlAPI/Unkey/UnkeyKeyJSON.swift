import AuthKeys
import KeyAdministration

/// A key in the JSON of Unkey's API. Times are milliseconds since 1970; empty members are omitted.
struct UnkeyKeyJSON: Encodable {
    let keyID: String
    /// The stored beginning of the secret: its prefix.
    let start: String
    let enabled: Bool
    let createdAt: Int64
    let name: String
    let meta: [String: JSONValue]?
    let updatedAt: Int64
    let lastUsedAt: Int64?
    let expires: Int64?
    let permissions: [String]?
    let identity: UnkeyIdentity?
    let credits: UnkeyCreditsJSON?
    let ratelimits: [UnkeyRatelimitJSON]?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case start, enabled, createdAt, name, meta, updatedAt, lastUsedAt, expires, permissions, identity, credits
        case ratelimits
        case keyID = "keyId"
    }

    init(_ key: AuthKey) {
        keyID = key.id.description
        start = key.prefix
        enabled = key.enabled
        createdAt = key.createdAt.milliseconds
        name = key.name
        meta = key.metadata.isEmpty ? nil : key.metadata
        updatedAt = key.updatedAt.milliseconds
        lastUsedAt = key.usage.lastUsedAt?.milliseconds
        expires = key.expiresAt?.milliseconds
        permissions = key.scopes.isEmpty ? nil : key.scopes
        identity = key.owner.map { UnkeyIdentity($0) }
        credits = key.credits.map { UnkeyCreditsJSON($0) }
        let limits = key.limits.compactMap { UnkeyRatelimitJSON($0) }
        ratelimits = limits.isEmpty ? nil : limits
    }
}

/// An owner in the JSON of Unkey's API. Its id is its name.
struct UnkeyIdentity: Encodable {
    let id: String
    let externalID: String

    enum CodingKeys: String, CodingKey {
        case id
        case externalID = "externalId"
    }

    init(_ owner: String) {
        id = owner
        externalID = owner
    }
}

/// A new key or a new secret; only this response contains it.
struct UnkeyIssuedJSON: Encodable {
    let keyID: String
    let key: String

    enum CodingKeys: String, CodingKey, CaseIterable {
        case key
        case keyID = "keyId"
    }

    init(_ issued: IssuedKey) {
        keyID = issued.key.id.description
        key = issued.token.value
    }
}

/// A scope in the JSON of Unkey's API. Its id is its text.
struct UnkeyPermissionJSON: Encodable {
    let id: String
    let name: String
    let slug: String

    init(_ scope: String) {
        id = scope
        name = scope
        slug = scope
    }
}
