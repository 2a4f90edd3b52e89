/// What an admin asks for when a key is made, as it came in.
public struct KeyRequest: Sendable, Equatable {
    public var attributes: KeyAttributes
    public var prefix: String?
    /// The value of the `Idempotency-Key` header.
    public var idempotencyKey: String?
    /// Whether the request says when the key ends; that it never does, too.
    public var namesExpiry: Bool

    public init(
        attributes: KeyAttributes, prefix: String? = nil, idempotencyKey: String? = nil, namesExpiry: Bool? = nil
    ) {
        self.attributes = attributes
        self.namesExpiry = namesExpiry ?? (attributes.expiresAt != nil)
        self.prefix = prefix
        self.idempotencyKey = idempotencyKey
    }

    public init(
        name: String, description: String = "", owner: String? = nil, scopes: [String] = [],
        expiresAt: Timestamp? = nil, prefix: String? = nil, idempotencyKey: String? = nil
    ) {
        self.init(
            attributes: KeyAttributes(
                name: name, description: description, owner: owner, scopes: scopes, expiresAt: expiresAt),
            prefix: prefix, idempotencyKey: idempotencyKey)
    }

    /// The hashes that make a repetition of this request by the same admin recognisable; nil without an idempotency key.
    func claim(by actor: AuditActor) -> IdempotencyClaim? {
        let it = attributes
        var fields =
            [
                it.name, it.description, it.owner ?? "", prefix ?? "", it.expiresAt?.description ?? "",
                String(it.scopes.count),
            ]
            + it.scopes
        // Only what is there, so that a request without them comes to the same as it did before there were any.
        if !it.enabled { fields.append("disabled") }
        if !it.labels.isEmpty {
            fields += ["labels"] + it.labels.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        }
        if let notBefore = it.notBefore { fields += ["not_before", notBefore.description] }
        let lists = [
            ("allowed_methods", it.allowedMethods), ("allowed_paths", it.allowedPaths),
            ("allowed_cidrs", it.allowedCIDRs), ("report_only", it.reportOnly),
        ]
        for (name, list) in lists where !list.isEmpty { fields += [name, String(list.count)] + list }
        if !it.metadata.isEmpty { fields += ["metadata", JSONValue.object(it.metadata).canonical] }
        return IdempotencyClaim(idempotencyKey: idempotencyKey, by: actor, fields: fields)
    }
}

extension IdempotencyClaim {
    /// Nil without an idempotency key. Each admin has keys of its own; those of the bootstrap key are hashed as they come, and
    /// no other can be like one of them, since none has a NUL in it.
    init?(idempotencyKey: String?, by actor: AuditActor, fields: [String]) {
        guard let idempotencyKey else { return nil }
        let canonical = fields.map { "\($0.utf8.count):\($0)" }.joined()
        let scoped = actor == .bootstrap ? idempotencyKey : "\(actor.text)\0\(idempotencyKey)"
        self.init(key: Self.hash(scoped), request: Self.hash(canonical))
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
