/// What verification has to know of one secret: a row of the change feed, and of the index.
public struct KeyEntry: Sendable, Equatable {
    /// Whether the key behind a secret may be used. Expiry is not a state: it is compared with the clock each time.
    public enum State: UInt8, Sendable, CaseIterable {
        case active = 1
        /// Paused; can be enabled again.
        case disabled = 2
        /// Revoked for good.
        case deactivated = 3
        /// The record is gone; kept so that nothing older brings it back.
        case deleted = 4

        /// Whether the state is permanent.
        var isFinal: Bool { self == .deactivated || self == .deleted }
    }

    public let digest: SecretDigest
    public let keyID: KeyID
    /// The version of the key's record; a higher one replaces a lower one, never the other way round.
    public let version: UInt32
    public let state: State
    /// The earlier of the key's and the secret's own end; nil for none.
    public private(set) var expiresAt: Timestamp?
    /// Whether `expiresAt` is the secret's own end, set by a rotation, which nothing moves later.
    public private(set) var endsSecret: Bool
    public let name: String
    public let owner: String?
    /// Separated by single spaces, as in RFC 6749 section 3.3; empty for none.
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

    /// The entry with an end of its secret that is earlier than its own end.
    func ending(at end: Timestamp) -> KeyEntry {
        var entry = self
        entry.expiresAt = end
        entry.endsSecret = true
        return entry
    }
}
