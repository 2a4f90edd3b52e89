/// What an admin asks for when a key is made, as it came in.
public struct KeyRequest: Sendable, Equatable {
    public var name: String
    public var description: String
    public var owner: String?
    public var scopes: [String]
    public var expiresAt: Timestamp?
    public var prefix: String?
    /// The value of the `Idempotency-Key` header.
    public var idempotencyKey: String?

    public init(
        name: String, description: String = "", owner: String? = nil, scopes: [String] = [],
        expiresAt: Timestamp? = nil,
        prefix: String? = nil, idempotencyKey: String? = nil
    ) {
        self.name = name
        self.description = description
        self.owner = owner
        self.scopes = scopes
        self.expiresAt = expiresAt
        self.prefix = prefix
        self.idempotencyKey = idempotencyKey
    }

    /// The hashes that make a repetition of this request recognisable; nil without an idempotency key.
    func claim() -> IdempotencyClaim? {
        guard let idempotencyKey else { return nil }
        let fields =
            [name, description, owner ?? "", prefix ?? "", expiresAt?.description ?? "", String(scopes.count)] + scopes
        let canonical = fields.map { "\($0.utf8.count):\($0)" }.joined()
        return IdempotencyClaim(key: Self.hash(idempotencyKey), request: Self.hash(canonical))
    }

    private static func hash(_ text: String) -> SecretDigest {
        Array(text.utf8).withUnsafeBytes { SecretDigest(hashing: $0) }
    }
}

/// A key just made, and its secret, which is never seen again.
public struct IssuedKey: Sendable {
    public let key: AuthKey
    public let token: Token
}
