/// What admins can do with keys. Each change is in the database before it returns, and in this instance's index too: a key
/// that `deactivate` was called for opens nothing here from the moment the call returns.
public struct AuthKeyService: Sendable {
    private let store: any Store
    private let index: KeyIndex
    private let defaultPrefix: TokenPrefix
    private let time: TimeSource

    public init(
        store: any Store, index: KeyIndex, defaultPrefix: TokenPrefix = .standard, time: TimeSource = .system
    ) {
        self.store = store
        self.index = index
        self.defaultPrefix = defaultPrefix
        self.time = time
    }

    /// A page of keys, and the place where the next one begins; nil after the last.
    public func list(_ query: KeyQuery) async throws(AuthKeyError) -> (keys: [AuthKey], next: ListCursor?) {
        var wanted = query
        wanted.limit += 1
        let found = try await ask { () async throws(StoreError) in try await store.list(wanted) }
        let page = Array(found.prefix(query.limit))
        return (page, found.count > query.limit ? page.last.map(ListCursor.init(after:)) : nil)
    }

    public func key(_ id: String) async throws(AuthKeyError) -> AuthKey {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let key = try await ask { () async throws(StoreError) in try await store.key(keyID) }
        guard let key else { throw .notFound(id: id) }
        return key
    }

    /// Makes a key. Its secret is in the result, and nowhere else.
    public func create(_ request: KeyRequest) async throws(AuthKeyError) -> IssuedKey {
        let now = time.now()
        try FieldRules.idempotencyKey(request.idempotencyKey)
        let name = try FieldRules.name(request.name)
        let description = try FieldRules.description(request.description)
        let owner = try FieldRules.owner(request.owner)
        let scopes = try FieldRules.scopes(request.scopes)
        let expiresAt = try FieldRules.expiry(request.expiresAt, now: now)
        let prefix = try FieldRules.prefix(request.prefix, default: defaultPrefix)
        let token = Token.generate(prefix: prefix)
        let key = NewKey(
            id: .generate(at: now), name: name, description: description, owner: owner, scopes: scopes,
            expiresAt: expiresAt, digest: token.digest, prefix: prefix, lastFour: token.lastFour)
        let claim = request.claim()
        let outcome = try await ask { () async throws(StoreError) in try await store.create(key, claim: claim) }
        switch outcome {
        case .created(let created):
            index.apply(key.entry)
            return IssuedKey(key: created, token: token)
        case .replayed(let id): throw .conflict(.idempotencyReplayed(id))
        case .claimedOtherwise: throw .conflict(.idempotencyKeyReused)
        }
    }

    /// Revokes a key for good; again and again is fine.
    public func deactivate(_ id: String) async throws(AuthKeyError) {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let entries = try await ask { () async throws(StoreError) in try await store.deactivate(keyID) }
        guard let entries else { throw .notFound(id: id) }
        for entry in entries { index.apply(entry) }
    }

    private func ask<R: Sendable>(
        _ question: () async throws(StoreError) -> R
    ) async throws(AuthKeyError) -> R {
        do { return try await question() } catch { throw AuthKeyError(error) }
    }
}
