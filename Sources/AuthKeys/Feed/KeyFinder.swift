/// Looks up keys that the index does not hold.
public protocol KeyFinder: Sendable {
    /// Returns the entries of the known digests.
    func find(_ digests: [SecretDigest]) async throws(StoreError) -> [KeyEntry]
}
