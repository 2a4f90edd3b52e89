/// Where keys are kept. Two things conform: PostgreSQL, and the fake of the tests; one suite holds both to this page.
///
/// What is acknowledged is durable. A change that returned is seen by every later call, and by `changes` on every instance.
/// Each change puts its event into the trail, in its own transaction; a call that changes nothing puts none. For an admin who
/// may only see one owner's keys, the keys of others are unknown.
public protocol Store: KeyFinder {
    /// A page of keys.
    func list(_ query: KeyQuery) async throws(StoreError) -> [AuthKey]

    /// How many keys a query finds in all, wherever its page begins.
    func count(_ query: KeyQuery) async throws(StoreError) -> KeyCount

    /// One key, or nil.
    func key(_ id: KeyID) async throws(StoreError) -> AuthKey?

    /// Keeps a new key and its secret's digest, both or neither. With a claim, at most one key is ever made for it.
    func create(
        _ key: NewKey, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> CreateOutcome

    /// Revokes a key for good. The first moment of deactivation stays. Nil if there is no such key; otherwise what the index
    /// has to know of each of its secrets.
    func deactivate(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]?

    /// Changes what admins say of a key, in one transaction: `change` is given what is kept, and says what is to be. Where
    /// nothing is different, nothing is written, and the version stays.
    /// - Parameter version: the version that the caller has seen; nil for any.
    func update(
        _ id: KeyID, version: Int64?, by call: AdminCall,
        _ change: @escaping @Sendable (KeyAttributes) throws(AuthKeyError) -> KeyAttributes
    ) async throws(StoreError) -> UpdateOutcome

    /// Removes a deactivated key and its secrets.
    func delete(_ id: KeyID, version: Int64?, by call: AdminCall) async throws(StoreError) -> DeleteOutcome

    /// Gives a key a new secret. The one before stays good for the grace, and any older one ends: two are good at most. With
    /// a claim, at most one rotation is ever carried out for it.
    func rotate(
        _ id: KeyID, version: Int64?, _ rotation: Rotation, claim: IdempotencyClaim?, by call: AdminCall
    ) async throws(StoreError) -> RotateOutcome

    /// Ends all secrets of a key but the newest, now. Nil if there is no such key.
    func endPreviousSecrets(_ id: KeyID, by call: AdminCall) async throws(StoreError) -> [KeyEntry]?

    /// Hands over every entry that changed at or after the watermark (all of them for nil), in no particular order and
    /// possibly again, as of one moment, and returns the next position. Rows that cannot be decoded are left out and counted.
    /// - Throws: `.unavailable` also where the database is not whole, as in the middle of a restore: then no entry is handed over.
    func changes(
        since watermark: Watermark?, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch

    /// Hands over the entries of all secrets in a range of digests, as of one moment.
    /// - Throws: as `changes`.
    func entries(
        in range: DigestRange, since watermark: Watermark, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch

    /// Writes ends back that the database lost, each with an event of the system's in the trail. An end that the database has
    /// already, from another instance for example, stays as it is.
    func writeBack(_ ends: [DisputedEnd]) async throws(StoreError)

    /// Orders all instances to load all keys again, with an event in the trail where they are to accept the database.
    func order(_ order: FeedReading.Order, by call: AdminCall) async throws(StoreError)

    /// Adds what was counted to what is written down. Counts come a secret and day each, in the order of key, day and digest;
    /// those of keys that are gone are left out.
    func record(_ usage: [UsageCount]) async throws(StoreError)

    /// What is written down of a key's use, by day for as many days as asked, today the first. Nil if there is no such key.
    func usage(_ id: KeyID, days: Int) async throws(StoreError) -> KeyUsageReport?

    /// Brings keys in: `body` fills the stage, and what it does not keep by the time it returns is forgotten. What it keeps is
    /// there all at once; if it throws, nothing is.
    /// - Throws: `StoreError`, or what `body` throws.
    func stageImport<R: Sendable>(_ body: @Sendable (any ImportStage) async throws -> R) async throws -> R

    /// The schemes of all tokens that were ever brought in. They are there no later than their keys.
    func schemes() async throws(StoreError) -> [TokenScheme]

    /// Lets go of everything. Calls after it fail as unavailable.
    func close() async
}

/// Where keys can be looked up that the index does not hold.
public protocol KeyFinder: Sendable {
    /// The entries of those digests that are known.
    func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry]
}

/// Tells that something may have changed, early and unreliably: a hint to look, never a reason not to.
public protocol ChangeHints: Sendable {
    /// An element whenever a look at the changes is worth while. Elements that come while nobody looks become one.
    var hints: AsyncStream<Void> { get }
}
