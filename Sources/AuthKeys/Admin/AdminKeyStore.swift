/// Where admin keys are kept. Each change puts its event into the trail, in its own transaction.
public protocol AdminKeyStore: Sendable {
    /// A page of admin keys, newest first, then by name, then by id.
    /// - Parameter owner: only those for this owner's keys; nil for all.
    func adminKeys(owner: String?, after: ListCursor?, limit: Int) async throws(StoreError) -> [AdminKey]

    func adminKey(_ id: KeyID) async throws(StoreError) -> AdminKey?

    /// Returns the key whose secret has this digest. Where it is active and has one of the permissions, this is a use of the key,
    /// and noted as one.
    func adminKey(
        with digest: SecretDigest, using permissions: [AdminPermission]
    ) async throws(StoreError) -> AdminKey?

    /// All admin keys by their digests, deactivated ones too.
    func adminKeysByDigest() async throws(StoreError) -> [SecretDigest: AdminKey]

    /// Deactivates admin keys again whose deactivation the database lost, each with an event of the system's in the trail.
    func writeBack(deactivated ids: [KeyID]) async throws(StoreError)

    func createAdminKey(_ key: NewAdminKey, by call: AdminCall) async throws(StoreError) -> AdminKey

    /// Changes what is said of an admin key, in one transaction: `change` is given what is kept, and says what is to be. Where
    /// nothing is different, nothing is written, and the version stays.
    /// - Parameters:
    ///   - version: the version that the caller has seen; nil for any.
    ///   - keepsLast: refuse what would leave nobody who can administer admin keys, or nobody without an expiry, where there
    ///     was somebody.
    func updateAdminKey(
        _ id: KeyID, version: Int64?, keepsLast: Bool, by call: AdminCall,
        _ change: @escaping @Sendable (AdminKeyAttributes) throws(AuthKeyError) -> AdminKeyAttributes
    ) async throws(StoreError) -> AdminKeyOutcome

    /// Revokes an admin key for good. The first moment of deactivation stays.
    func deactivateAdminKey(
        _ id: KeyID, keepsLast: Bool, by call: AdminCall
    ) async throws(StoreError) -> AdminKeyOutcome
}

/// What became of a change of an admin key.
public enum AdminKeyOutcome: Sendable, Equatable {
    case changed(AdminKey)
    case unknown
    /// The key has another version than the caller expected.
    case outdated
    /// The change breaks a rule.
    case refused(AuthKeyError)
}
