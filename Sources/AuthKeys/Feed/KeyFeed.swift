/// The database as an index follows it.
public protocol KeyFeed: KeyFinder {
    /// Calls `apply` with every entry that changed at or after the watermark, or with all entries for nil, and returns
    /// the next position. The order is arbitrary, entries may repeat, and all are as of one moment. Rows that cannot be
    /// decoded are left out and counted.
    /// - Throws: `.unavailable` also if the database is incomplete, as during a restore; then `apply` is never called.
    func changes(
        since watermark: Watermark?, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch

    /// Calls `apply` with the entries of all secrets in a range of digests, as of one moment.
    /// - Throws: as `changes`.
    func entries(
        in range: DigestRange, since watermark: Watermark, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch

    /// Restores revocations that the database lost, each with an audit event of the system. A revocation that is
    /// already there again, from another instance for example, stays as it is.
    func writeBack(_ ends: [DisputedEnd]) async throws(StoreError)

    /// Returns the schemes of all imported tokens. A scheme is visible no later than its keys.
    func schemes() async throws(StoreError) -> [TokenScheme]
}

/// A source of hints that something may have changed. Hints are fast but unreliable: they may cause a read, and their
/// absence proves nothing.
public protocol ChangeHints: Sendable {
    /// Yields an element when a read of the changes is worthwhile. Unconsumed elements are merged into one.
    var hints: AsyncStream<Void> { get }
}
