public import AuthKeys

/// An admin's request to create a key, not validated yet.
public struct KeyRequest: Sendable, Equatable {
    public var attributes: KeyAttributes
    public var prefix: String?
    /// The value of the `Idempotency-Key` header.
    public var idempotencyKey: String?
    /// True if the request states an expiry, including none.
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

    /// Returns hashes that identify a repetition of this request by the same admin; nil without an idempotency key.
    func claim(by actor: AuditActor) -> IdempotencyClaim? {
        let it = attributes
        var fields =
            [
                it.name, it.description, it.owner ?? "", prefix ?? "", it.expiresAt?.description ?? "",
                String(it.scopes.count),
            ]
            + it.scopes
        // Optional fields are added only if present, so that older requests keep their hashes.
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
        if !it.limits.isEmpty { fields += ["limits", LimitRule.json(it.limits).canonical] }
        if let plan = it.plan { fields += ["plan", plan] }
        if let credits = it.credits { fields += ["credits", credits.json.canonical] }
        if it.selfRotation { fields.append("self_rotation") }
        if !it.metadata.isEmpty { fields += ["metadata", JSONValue.object(it.metadata).canonical] }
        return IdempotencyClaim(idempotencyKey: idempotencyKey, by: actor, fields: fields)
    }
}

extension IdempotencyClaim {
    /// Returns nil without an idempotency key. Each admin has a separate name space. The bootstrap key's values are
    /// hashed as they are, and cannot equal a scoped one, since they have no NUL.
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

/// A new key and its secret, which is shown once.
public struct IssuedKey: Sendable {
    public let key: AuthKey
    public let token: Token
}
