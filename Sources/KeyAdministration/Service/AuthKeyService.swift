public import AuthKeys

/// The operations on keys. Each change is in the database and in this instance's index before the call returns. So a
/// key that `deactivate` revoked grants no access on this instance once the call has returned.
public struct AuthKeyService: Sendable {
    let store: any Store
    let index: KeyIndex
    let lifetimes: KeyLifetimes
    /// The scopes that requests need, for explanations.
    private let rules: ScopeRules
    /// Provides usage that is not stored yet.
    let usage: UsageRecorder?
    /// The limits of this instance; nil if it serves no requests.
    let limits: LimitSync?
    let time: TimeSource
    let importTurn = ImportTurn()

    public init(
        store: any Store, index: KeyIndex, lifetimes: KeyLifetimes = KeyLifetimes(), rules: ScopeRules = ScopeRules(),
        usage: UsageRecorder? = nil, limits: LimitSync? = nil, time: TimeSource = .system
    ) {
        self.usage = usage
        self.limits = limits
        self.rules = rules
        self.store = store
        self.index = index
        self.lifetimes = lifetimes
        self.time = time
    }

    /// Returns a page of keys, and the cursor of the next page; nil after the last page.
    public func list(
        _ query: KeyQuery, for admin: Admin
    ) async throws(AuthKeyError) -> (keys: [AuthKey], next: ListCursor?) {
        if let cursor = query.after, cursor.order != query.order {
            throw .invalid(
                param: "cursor",
                message: "cursor belongs to the order \(cursor.order): start without a cursor for another order")
        }
        guard var wanted = Self.seen(query, by: admin) else { return ([], nil) }
        wanted.limit += 1
        let found = try await ask(await store.list(wanted))
        let page = Array(found.prefix(query.limit))
        return (page, found.count > query.limit ? page.last.map { ListCursor(after: $0, in: query.order) } : nil)
    }

    /// Returns the query limited to what an admin may see; nil if it matches nothing.
    static func seen(_ query: KeyQuery, by admin: Admin) -> KeyQuery? {
        var query = query
        return admin.owners.limit(&query.owner) ? query : nil
    }

    /// Returns the number of keys on all pages of a query.
    public func count(_ query: KeyQuery, for admin: Admin) async throws(AuthKeyError) -> KeyCount {
        guard let query = Self.seen(query, by: admin) else { return KeyCount(0, isExact: true) }
        return try await ask(await store.count(query))
    }

    public func key(_ id: String, for admin: Admin) async throws(AuthKeyError) -> AuthKey {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let key = try await ask(await store.key(keyID))
        guard let key, admin.sees(owner: key.owner) else { throw .notFound(id: id) }
        return key
    }

    /// Creates a key. Only the result contains its secret.
    public func create(_ request: KeyRequest, by call: AdminCall) async throws(AuthKeyError) -> IssuedKey {
        var request = request
        if let owner = call.admin.owner, request.attributes.owner == nil { request.attributes.owner = owner }
        let now = time.now()
        try FieldRules.idempotencyKey(request.idempotencyKey)
        var attributes = request.attributes
        if !request.namesExpiry { attributes.expiresAt = lifetimes.standard.map { now.advanced(by: $0) } }
        attributes = try FieldRules.checked(attributes)
        try Self.check(attributes.owner, isOf: call.admin)
        try FieldRules.expiry(attributes.expiresAt, now: now, lifetimes: lifetimes)
        let token = Token.generate(prefix: try FieldRules.prefix(request.prefix))
        let key = NewKey(id: .generate(at: now), attributes: attributes, secret: NewSecret(token))
        let claim = request.claim(by: call.admin.actor)
        let outcome = try await ask(repetition: .of(claim), await store.create(key, claim: claim, by: call))
        switch outcome {
        case .created(let created):
            index.apply(key.entry)
            return IssuedKey(key: created, token: token)
        case .replayed(let id): throw .conflict(.idempotencyReplayed(id))
        case .claimedOtherwise: throw .conflict(.idempotencyKeyReused)
        }
    }

    /// Changes a key.
    /// - Parameter version: the version that the caller has seen; nil for any.
    public func update(
        _ id: String, version: Int64?, _ patch: KeyPatch, by call: AdminCall
    ) async throws(AuthKeyError) -> AuthKey {
        try await update(id, version: version, by: call) { patch.applied(to: $0) }
    }

    /// Changes a key in one transaction. `change` maps the stored attributes to the new ones, which are validated
    /// afterwards.
    /// - Parameter version: the version that the caller has seen; nil for any.
    public func update(
        _ id: String, version: Int64?, by call: AdminCall,
        _ change: @escaping @Sendable (KeyAttributes) -> KeyAttributes
    ) async throws(AuthKeyError) -> AuthKey {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let (now, lifetimes) = (time.now(), lifetimes)
        let outcome = try await ask(
            await store.update(keyID, version: version, by: call) { current throws(AuthKeyError) in
                let wanted = try FieldRules.checked(change(current))
                try Self.check(wanted.owner, isOf: call.admin)
                if wanted.expiresAt != current.expiresAt {
                    try FieldRules.expiry(wanted.expiresAt, now: now, lifetimes: lifetimes)
                }
                return wanted
            })
        switch outcome {
        case .updated(let changed): return apply(changed)
        case .unknown: throw .notFound(id: id)
        case .outdated: throw .outdated
        case .refused(let error): throw error
        }
    }

    /// Explains the decision on a hypothetical request with the key's newest secret at the current time.
    public func explain(
        _ id: String, method: String, path: String, address: IPAddress?, scopes: ScopeRequirement, for admin: Admin
    ) async throws(AuthKeyError) -> Explanation {
        let key = try await key(id, for: admin)
        let ruled: ScopeRequirement
        do throws(Refusal) {
            ruled = try rules.requirement(method: method, path: path)
        } catch {
            return Explanation(ambiguous: error)
        }
        return Explanation(
            key, method: method, path: path, address: address, scopes: ruled.union(scopes), limiter: limits?.limiter,
            at: time.now())
    }

    /// Returns the usage of a key by day.
    public func usage(_ id: String, days: Int, for admin: Admin) async throws(AuthKeyError) -> KeyUsageReport {
        let keyID = try await key(id, for: admin).id
        let report = try await ask(await store.usage(keyID, days: days))
        guard let report else { throw .notFound(id: id) }
        return report
    }

    /// Deletes a deactivated key.
    public func delete(_ id: String, version: Int64?, by call: AdminCall) async throws(AuthKeyError) {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let outcome = try await ask(await store.delete(keyID, version: version, by: call))
        switch outcome {
        case .deleted(let entries): for entry in entries { index.apply(entry) }
        case .unknown: throw .notFound(id: id)
        case .outdated: throw .outdated
        case .notDeactivated: throw .conflict(.notDeactivated)
        }
    }

    /// Gives a key a new secret, which only the result contains. The previous secret stays valid for the grace period.
    public func rotate(
        _ id: String, version: Int64?, grace: Duration, idempotencyKey: String?, by call: AdminCall
    ) async throws(AuthKeyError) -> (issued: IssuedKey, rotation: KeyID) {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        try FieldRules.idempotencyKey(idempotencyKey)
        try FieldRules.grace(grace)
        let current = try await key(id, for: call.admin)
        let token = Token.generate(prefix: current.tokenPrefix ?? .standard)
        let rotation = Rotation(id: .generate(at: time.now()), secret: NewSecret(token), grace: grace)
        let claim = IdempotencyClaim(
            idempotencyKey: idempotencyKey, by: call.admin.actor,
            fields: ["rotate", keyID.description, "\(grace.components.seconds)"])
        let outcome = try await ask(
            repetition: .of(claim), await store.rotate(keyID, version: version, rotation, claim: claim, by: call))
        switch outcome {
        case .rotated(let changed): return (IssuedKey(key: apply(changed), token: token), rotation.id)
        case .replayed(let id): throw .conflict(.rotationReplayed(id))
        case .claimedOtherwise: throw .conflict(.idempotencyKeyReused)
        case .unknown: throw .notFound(id: id)
        case .outdated: throw .outdated
        case .ended: throw .conflict(.ended)
        }
    }

    /// Ends the grace period of a rotation.
    public func endPreviousSecrets(_ id: String, by call: AdminCall) async throws(AuthKeyError) {
        try await apply(id) { keyID throws(StoreError) in try await store.endPreviousSecrets(keyID, by: call) }
    }

    /// Deactivates a key permanently; the call is idempotent. Returns the key's last use, if it was within seven days.
    /// Usage that this instance has counted and not stored yet is consulted if the stored usage shows no such use.
    @discardableResult
    public func deactivate(_ id: String, by call: AdminCall) async throws(AuthKeyError) -> Timestamp? {
        try await apply(id) { keyID throws(StoreError) in try await store.deactivate(keyID, by: call) }
        // The key is revoked: a later failure must not suggest otherwise.
        if let known = await recentUse(of: id, for: call.admin) { return known }
        guard let usage, let keyID = KeyID(id) else { return nil }
        if let counted = await usage.lastUse(of: keyID), counted.isRecentUse(at: time.now()) { return counted }
        // The usage may have been stored meanwhile.
        return await recentUse(of: id, for: call.admin)
    }

    private func recentUse(of id: String, for admin: Admin) async -> Timestamp? {
        guard let key = try? await key(id, for: admin), let lastUsedAt = key.usage.lastUsedAt else { return nil }
        return lastUsedAt.isRecentUse(at: time.now()) ? lastUsedAt : nil
    }

    /// Refuses a key of another owner for an admin of one owner's keys.
    static func check(_ owner: String?, isOf admin: Admin) throws(AuthKeyError) {
        guard admin.sees(owner: owner) else { throw .otherOwner }
    }

    private func apply(
        _ id: String, _ change: (KeyID) async throws(StoreError) -> [KeyEntry]?
    ) async throws(AuthKeyError) {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let entries = try await ask(await change(keyID))
        guard let entries else { throw .notFound(id: id) }
        for entry in entries { index.apply(entry) }
    }

    func apply(_ changed: ChangedKey) -> AuthKey {
        for entry in changed.entries { index.apply(entry) }
        return changed.key
    }
}

extension AuthKeyError.Repetition {
    /// Returns the effect of repeating a request that creates a key or a secret.
    fileprivate static func of(_ claim: IdempotencyClaim?) -> Self {
        claim == nil ? .duplicating : .sameIdempotencyKey
    }
}
