public import AuthKeys
import AuthKeysPostgres
public import LibPQ
public import Logging

/// The part of the store that is its feed's.
extension PostgresAuthKeyStore {
    /// Creates a store with a feed of its own. The caller runs the pools. The parameters are those of the feed.
    public convenience init(
        pool: PostgresPool, feedPool: PostgresPool? = nil, readTimeout: Duration = .seconds(5), logger: Logger
    ) {
        self.init(feed: PostgresKeyFeed(pool: pool, feedPool: feedPool, readTimeout: readTimeout, logger: logger))
    }

    public func changes(
        since watermark: Watermark?, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        try await feed.changes(since: watermark, apply: apply)
    }

    public func entries(
        in range: DigestRange, since watermark: Watermark, apply: @escaping @Sendable (KeyEntry) -> Void
    ) async throws(StoreError) -> ChangeBatch {
        try await feed.entries(in: range, since: watermark, apply: apply)
    }

    public func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry] {
        try await feed.find(digests)
    }

    public func schemes() async throws(StoreError) -> [TokenScheme] { try await feed.schemes() }

    public func writeBack(_ ends: [DisputedEnd]) async throws(StoreError) { try await feed.writeBack(ends) }

    public func record(_ usage: [UsageCount]) async throws(StoreError) { try await feed.record(usage) }

    public func close() async { await feed.close() }
}
