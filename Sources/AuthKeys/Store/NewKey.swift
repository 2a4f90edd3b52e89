/// A validated key to be stored.
@dynamicMemberLookup
public struct NewKey: Sendable, Equatable {
    public let id: KeyID
    public let attributes: KeyAttributes
    public let secret: NewSecret

    public init(id: KeyID, attributes: KeyAttributes, secret: NewSecret) {
        self.id = id
        self.attributes = attributes
        self.secret = secret
    }

    public subscript<Value>(dynamicMember path: KeyPath<KeyAttributes, Value>) -> Value {
        attributes[keyPath: path]
    }

    public subscript<Value>(dynamicMember path: KeyPath<NewSecret, Value>) -> Value {
        secret[keyPath: path]
    }

    /// The entry for the index.
    public var entry: KeyEntry {
        attributes.entry(of: secret.digest, id: id, version: 1)
    }
}

/// The stored form of a new secret.
public struct NewSecret: Sendable, Equatable {
    public let digest: SecretDigest
    public let prefix: TokenPrefix
    public let lastFour: String

    public init(digest: SecretDigest, prefix: TokenPrefix, lastFour: String) {
        self.digest = digest
        self.prefix = prefix
        self.lastFour = lastFour
    }

    /// The text that the secret begins with.
    public var shownPrefix: String { "\(prefix)_" }

    public init(_ token: Token) {
        self.init(digest: token.digest, prefix: token.prefix, lastFour: token.lastFour)
    }

    public var redactedValue: String { AuthKey.redact(prefix: shownPrefix, lastFour: lastFour) }
}

/// The stored form of an `Idempotency-Key`: two hashes, so that neither the header nor the request is stored.
public struct IdempotencyClaim: Sendable, Equatable {
    /// SHA-256 of the header's value and of the admin.
    public let key: SecretDigest
    /// SHA-256 of the request's content.
    public let request: SecretDigest

    public init(key: SecretDigest, request: SecretDigest) {
        self.key = key
        self.request = request
    }
}
