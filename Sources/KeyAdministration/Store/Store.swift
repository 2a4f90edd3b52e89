public import AuthKeys

/// A store of keys. PostgreSQL and the tests' fake conform; one test suite checks both against this protocol.
///
/// A confirmed change is durable. Every later call sees it, and so does `changes` on every instance. Each change writes
/// its audit event in its own transaction; a call that changes nothing writes none. For an admin who is limited to one
/// owner's keys, other keys are unknown.
public protocol Store: KeyFeed, UsageStore, TrafficReader, SharedLimitStore {
    /// Returns a page of keys.
    func list(_ query: KeyQuery) async throws(StoreError) -> [AuthKey]

    /// Returns the number of keys on all pages of a query.
    func count(_ query: KeyQuery) async throws(StoreError) -> KeyCount

    /// Returns a key, or nil.
    func key(_ id: KeyID) async throws(StoreError) -> AuthKey?

    /// Stores a new key and its secret's digest, both or neither. At most one key is ever created for a claim.
    func create(
        _ key: NewKey, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> CreateOutcome

    /// Deactivates a key permanently. The first time of deactivation stays. Returns the index entry of each of its
    /// secrets, or nil if there is no such key.
    func deactivate(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]?

    /// Changes the attributes of a key in one transaction. `change` maps the stored attributes to the new ones. If they
    /// are equal, nothing is written and the version stays.
    /// - Parameter version: the version that the caller has seen; nil for any.
    func update(
        _ id: KeyID, version: Int64?, by call: AdminCall,
        _ change: @escaping @Sendable (KeyAttributes) throws(AuthKeyError) -> KeyAttributes
    ) async throws(StoreError) -> UpdateOutcome

    /// Deletes a deactivated key and its secrets.
    func delete(_ id: KeyID, version: Int64?, by call: AdminCall) async throws(StoreError) -> DeleteOutcome

    /// Gives a key a new secret. The previous secret stays valid for the grace period, and any older one is revoked, so
    /// at most two are valid. At most one rotation is ever carried out for a claim.
    func rotate(
        _ id: KeyID, version: Int64?, _ rotation: Rotation, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> RotateOutcome

    /// Does the same as `rotate` for the holder of a key, if the key allows it, and if the holder presented its newest
    /// secret. No key is rotated by its holder within `HolderRotation.interval` after its last rotation.
    func rotate(
        _ id: KeyID, byHolder rotation: HolderRotation, _ call: AdminCall
    ) async throws(StoreError) -> HolderRotateOutcome

    /// Revokes all secrets of a key but the newest, now. Returns nil if there is no such key.
    func endPreviousSecrets(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]?

    /// Orders all instances to load all keys again, with an audit event if they are to accept the database.
    func order(_ order: FeedReading.Order, by call: AdminCall) async throws(StoreError)

    /// Returns the stored usage of a key for the last `days` days, beginning with today. Nil if there is no such key.
    func usage(_ id: KeyID, days: Int) async throws(StoreError) -> KeyUsageReport?

    /// Imports keys: `body` fills the stage and keeps it. The kept keys appear all at once; if `body` throws or does
    /// not keep them, none are stored.
    /// - Throws: `StoreError`, or an error of `body`.
    func stageImport<R: Sendable>(_ body: @Sendable (any ImportStage) async throws -> R) async throws -> R

    /// Releases all resources. Later calls fail as unavailable.
    func close() async
}
