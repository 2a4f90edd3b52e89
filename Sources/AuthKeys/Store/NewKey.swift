/// A key to be kept, checked already.
public struct NewKey: Sendable, Equatable {
    public let id: KeyID
    public let name: String
    public let description: String
    public let owner: String?
    public let scopes: [String]
    public let expiresAt: Timestamp?
    public let digest: SecretDigest
    public let prefix: TokenPrefix
    public let lastFour: String

    public init(
        id: KeyID, name: String, description: String = "", owner: String? = nil, scopes: [String] = [],
        expiresAt: Timestamp? = nil, digest: SecretDigest, prefix: TokenPrefix, lastFour: String
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.owner = owner
        self.scopes = scopes
        self.expiresAt = expiresAt
        self.digest = digest
        self.prefix = prefix
        self.lastFour = lastFour
    }

    /// What the index has to know of it once it is kept.
    public var entry: KeyEntry {
        KeyEntry(
            digest: digest, keyID: id, version: 1, state: .active, expiresAt: expiresAt, name: name, owner: owner,
            scopes: scopes.joined(separator: " "))
    }
}

/// What a caller's `Idempotency-Key` comes to: two hashes, so that neither the caller's header nor its request is kept.
public struct IdempotencyClaim: Sendable, Equatable {
    /// SHA-256 of the header's value.
    public let key: SecretDigest
    /// SHA-256 of what was asked for.
    public let request: SecretDigest

    public init(key: SecretDigest, request: SecretDigest) {
        self.key = key
        self.request = request
    }
}

/// What became of a creation.
public enum CreateOutcome: Sendable, Equatable {
    case created(AuthKey)
    /// The same claim made this key before.
    case replayed(KeyID)
    /// The same idempotency key came with another request before.
    case claimedOtherwise
}
