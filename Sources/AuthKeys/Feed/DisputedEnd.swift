/// A revocation that this instance knows and the database denies, because the database lost it in a crash, a failover
/// or a restore.
///
/// The index keeps the revocation. The database gets it back, unless an operator accepts the database as it is.
public struct DisputedEnd: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        /// The key was deactivated.
        case key
        /// A rotation revoked the secret at that time, or its row was removed, with or without its key.
        case secret(at: Timestamp)
    }

    public let digest: SecretDigest
    public let keyID: KeyID
    public let kind: Kind

    public init(digest: SecretDigest, keyID: KeyID, kind: Kind) {
        self.digest = digest
        self.keyID = keyID
        self.kind = kind
    }
}
