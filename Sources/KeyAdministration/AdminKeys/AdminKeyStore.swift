public import AuthKeys

/// A store of admin keys. Each change writes its audit event in its own transaction.
public protocol AdminKeyStore: Sendable {
    /// Returns a page of admin keys, newest first, then by name, then by id.
    /// - Parameter owners: returns only keys that are limited to these owners.
    func adminKeys(of owners: OwnerScope, after: ListCursor?, limit: Int) async throws(StoreError) -> [AdminKey]

    func adminKey(_ id: KeyID) async throws(StoreError) -> AdminKey?

    /// Returns the key whose secret has this digest. If it is active and has one of the permissions, its use is
    /// recorded.
    func adminKey(
        with digest: SecretDigest, using permissions: [AdminPermission]
    ) async throws(StoreError) -> AdminKey?

    /// Returns all admin keys by digest, including deactivated ones.
    func adminKeysByDigest() async throws(StoreError) -> [SecretDigest: AdminKey]

    /// Restores deactivations that the database lost, each with an audit event of the system.
    func writeBack(deactivated ids: [KeyID]) async throws(StoreError)

    func createAdminKey(_ key: NewAdminKey, by call: AdminCall) async throws(StoreError) -> AdminKey

    /// Changes the attributes of an admin key in one transaction. `change` maps the stored attributes to the new ones.
    /// If they are equal, nothing is written and the version stays.
    /// - Parameters:
    ///   - version: the version that the caller has seen; nil for any.
    ///   - keepsLast: refuses a change after which no key can administer admin keys, or none without an expiry, if one
    ///     could before.
    func updateAdminKey(
        _ id: KeyID, version: Int64?, keepsLast: Bool, by call: AdminCall,
        _ change: @escaping @Sendable (AdminKeyAttributes) throws(AuthKeyError) -> AdminKeyAttributes
    ) async throws(StoreError) -> AdminKeyOutcome

    /// Deactivates an admin key permanently. The first time of deactivation stays.
    func deactivateAdminKey(
        _ id: KeyID, keepsLast: Bool, by call: AdminCall
    ) async throws(StoreError) -> AdminKeyOutcome
}

/// The outcome of a change of an admin key.
public enum AdminKeyOutcome: Sendable, Equatable {
    case changed(AdminKey)
    case unknown
    /// The key has another version than the caller expected.
    case outdated
    /// The change breaks a rule.
    case refused(AuthKeyError)
}
