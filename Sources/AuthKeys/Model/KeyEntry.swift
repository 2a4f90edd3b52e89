/// The data of one secret that verification needs: a row of the change feed and of the index.
public struct KeyEntry: Sendable, Equatable {
    /// The state of the key of a secret. Expiry is not a state: each verification compares it with the clock.
    public enum State: UInt8, Sendable, CaseIterable {
        case active = 1
        /// Disabled; can be enabled again.
        case disabled = 2
        /// Revoked permanently.
        case deactivated = 3
        /// The record is deleted. The entry stays so that no older entry restores it.
        case deleted = 4

        /// True if the state is permanent.
        var isFinal: Bool { self == .deactivated || self == .deleted }
    }

    public let digest: SecretDigest
    public let keyID: KeyID
    /// The version of the key's record. A higher one replaces a lower one, never the reverse.
    public let version: UInt32
    public let state: State
    /// The earlier of the key's and the secret's own expiry; nil for none.
    public private(set) var expiresAt: Timestamp?
    /// True if `expiresAt` is the secret's own expiry, which a rotation set and no change postpones.
    public private(set) var endsSecret: Bool
    public let name: String
    public let owner: String?
    /// Separated by single spaces (RFC 6749 section 3.3); empty for none.
    public let scopes: String
    public let policy: KeyPolicy
    /// The operator's JSON object, as text; empty for none.
    public let metadata: String

    public init(
        digest: SecretDigest, keyID: KeyID, version: UInt32, state: State, expiresAt: Timestamp? = nil,
        endsSecret: Bool = false, name: String, owner: String? = nil, scopes: String = "", policy: KeyPolicy = .none,
        metadata: String = ""
    ) {
        self.endsSecret = endsSecret && expiresAt != nil
        self.digest = digest
        self.keyID = keyID
        self.version = version
        self.state = state
        self.expiresAt = expiresAt
        self.name = name
        self.owner = owner
        self.scopes = scopes
        self.policy = policy
        self.metadata = metadata
    }

    /// Returns the entry with an expiry of its secret that is earlier than its own.
    func ending(at end: Timestamp) -> KeyEntry {
        var entry = self
        entry.expiresAt = end
        entry.endsSecret = true
        return entry
    }
}
