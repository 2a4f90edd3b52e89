public import AuthKeys

/// The operations on admin keys.
public struct AdminKeyService: Sendable {
    private let store: any AdminKeyStore
    private let keepsLast: Bool
    private let credentials: AdminCredentials
    private let time: TimeSource

    /// - Parameters:
    ///   - hasBootstrapKey: whether the operator can restore access with a bootstrap key.
    ///   - credentials: notified of changes.
    public init(
        store: any AdminKeyStore, hasBootstrapKey: Bool, credentials: AdminCredentials, time: TimeSource = .system
    ) {
        self.store = store
        self.credentials = credentials
        keepsLast = !hasBootstrapKey
        self.time = time
    }

    /// Returns a page of admin keys, and the cursor of the next page; nil after the last page.
    public func list(
        limit: Int, after: ListCursor?, for admin: Admin
    ) async throws(AuthKeyError) -> (keys: [AdminKey], next: ListCursor?) {
        let found = try await ask(await store.adminKeys(of: admin.owners, after: after, limit: limit + 1))
        let page = Array(found.prefix(limit))
        return (page, found.count > limit ? page.last.map(ListCursor.init(after:)) : nil)
    }

    public func key(_ id: String, for admin: Admin) async throws(AuthKeyError) -> AdminKey {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let key = try await ask(await store.adminKey(keyID))
        guard let key, admin.sees(owner: key.owner) else { throw .notFound(id: id) }
        return key
    }

    /// Creates an admin key. Only the result contains its secret.
    public func create(
        _ wanted: AdminKeyAttributes, by call: AdminCall
    ) async throws(AuthKeyError) -> (key: AdminKey, token: Token) {
        let now = time.now()
        var attributes = wanted
        attributes.owner = try FieldRules.owner(wanted.owner) ?? call.admin.owner
        attributes = try Self.checked(attributes)
        guard call.admin.sees(owner: attributes.owner) else { throw .otherOwner }
        try Self.check(attributes.permissions, until: attributes.expiresAt, canBeGrantedBy: call.admin)
        try FieldRules.expiry(attributes.expiresAt, now: now, lifetimes: KeyLifetimes())
        let token = Token.generate(prefix: AdminKey.prefix)
        let key = NewAdminKey(id: .generate(at: now), attributes: attributes, secret: NewSecret(token))
        let created = try await ask(repetition: .duplicating, await store.createAdminKey(key, by: call))
        credentials.note(created, key.secret.digest)
        return (created, token)
    }

    /// Changes an admin key. An admin cannot grant a permission or a lifetime beyond its own, and cannot extend the key
    /// that it authenticates with.
    public func update(
        _ id: String, version: Int64?, _ patch: AdminKeyPatch, by call: AdminCall
    ) async throws(AuthKeyError) -> AdminKey {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let now = time.now()
        let outcome = try await ask(
            await store.updateAdminKey(keyID, version: version, keepsLast: keepsLast, by: call) {
                current throws(AuthKeyError) in
                let wanted = try Self.checked(patch.applied(to: current))
                if wanted.expiresAt != current.expiresAt {
                    try FieldRules.expiry(wanted.expiresAt, now: now, lifetimes: KeyLifetimes())
                }
                let isProlonged = wanted.expiresAt ?? .maximum > current.expiresAt ?? .maximum
                if isProlonged, case .adminKey(keyID, _) = call.admin.actor { throw .outlivesAdmin }
                let given = isProlonged ? wanted.permissions : wanted.permissions.subtracting(current.permissions)
                try Self.check(given, until: wanted.expiresAt, canBeGrantedBy: call.admin)
                return wanted
            })
        return try changed(outcome, id)
    }

    /// Deactivates an admin key permanently. The call is idempotent.
    public func deactivate(_ id: String, by call: AdminCall) async throws(AuthKeyError) {
        guard let keyID = KeyID(id) else { throw .notFound(id: id) }
        let outcome = try await ask(await store.deactivateAdminKey(keyID, keepsLast: keepsLast, by: call))
        _ = try changed(outcome, id)
    }

    private func changed(_ outcome: AdminKeyOutcome, _ id: String) throws(AuthKeyError) -> AdminKey {
        switch outcome {
        case .changed(let key):
            credentials.note(key)
            return key
        case .unknown: throw .notFound(id: id)
        case .outdated: throw .outdated
        case .refused(let error): throw error
        }
    }

    private static func checked(_ raw: AdminKeyAttributes) throws(AuthKeyError) -> AdminKeyAttributes {
        var attributes = raw
        attributes.name = try FieldRules.name(raw.name)
        guard !raw.permissions.isEmpty else {
            throw .invalid(param: "permissions", message: "permissions must name at least one permission")
        }
        return attributes
    }

    private static func check(
        _ permissions: Set<AdminPermission>, until end: Timestamp?, canBeGrantedBy admin: Admin
    ) throws(AuthKeyError) {
        if let missing = AdminPermission.allCases.first(where: { permissions.contains($0) && !admin.may($0) }) {
            throw .permissionMissing(missing)
        }
        if !permissions.isEmpty, end ?? .maximum > admin.expiresAt ?? .maximum { throw .outlivesAdmin }
    }
}
