/// A validated key from an import.
@dynamicMemberLookup
public struct ImportedKey: Sendable, Equatable {
    /// The number of its line, counted from 1.
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

    /// The entry for the index.
    public var entry: KeyEntry {
        attributes.entry(of: secret.digest, id: id, version: 1, deactivated: deactivatedAt != nil)
    }
}

/// The stored form of an imported secret.
public struct ImportedSecret: Sendable, Equatable {
    public let digest: SecretDigest
    /// The text that the secret begins with, including a separator.
    public let prefix: String
    /// Empty if unknown.
    public let lastFour: String
    /// Nil for a token of Keyward's own format.
    public let scheme: TokenScheme?
    /// True if the import had the token rather than a digest.
    public let isToken: Bool
    /// The digests under which the token would be stored if it were imported under another scheme. Unknown for a
    /// digest.
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
