/// A key brought from elsewhere, checked already.
@dynamicMemberLookup
public struct ImportedKey: Sendable, Equatable {
    /// The line that it stood on, counted from 1.
    public let line: Int
    public let id: KeyID
    public let attributes: KeyAttributes
    public let secret: ImportedSecret
    public let createdAt: Timestamp
    public let updatedAt: Timestamp
    public let deactivatedAt: Timestamp?

    public init(
        line: Int, id: KeyID, attributes: KeyAttributes, secret: ImportedSecret, createdAt: Timestamp,
        updatedAt: Timestamp, deactivatedAt: Timestamp? = nil
    ) {
        self.line = line
        self.id = id
        self.attributes = attributes
        self.secret = secret
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.deactivatedAt = deactivatedAt
    }

    public subscript<Value>(dynamicMember path: KeyPath<ImportedSecret, Value>) -> Value {
        secret[keyPath: path]
    }

    /// What the index has to know of it once it is kept.
    public var entry: KeyEntry {
        attributes.entry(of: secret.digest, id: id, version: 1, deactivated: deactivatedAt != nil)
    }
}

/// What is kept of a secret that was brought along.
public struct ImportedSecret: Sendable, Equatable {
    public let digest: SecretDigest
    /// All that the secret begins with, a separator included.
    public let prefix: String
    /// Empty where they are not known.
    public let lastFour: String
    /// Nil for a token of Keyward's own form.
    public let scheme: TokenScheme?
    /// Whether it came as a token rather than as a digest.
    public let isToken: Bool
    /// Where the token would be found if it were brought in under another scheme. Not known of a digest.
    public let elsewhere: [SecretDigest]

    public init(
        digest: SecretDigest, prefix: String, lastFour: String, scheme: TokenScheme?, isToken: Bool,
        elsewhere: [SecretDigest] = []
    ) {
        self.elsewhere = elsewhere
        self.digest = digest
        self.prefix = prefix
        self.lastFour = lastFour
        self.scheme = scheme
        self.isToken = isToken
    }
}
