/// What became of a creation.
public enum CreateOutcome: Sendable, Equatable {
    case created(AuthKey)
    /// The same claim made this key before.
    case replayed(KeyID)
    /// The same idempotency key came with another request before.
    case claimedOtherwise
}

/// A key after a change, and what the index has to know of each of its secrets.
public struct ChangedKey: Sendable, Equatable {
    public let key: AuthKey
    public let entries: [KeyEntry]

    public init(key: AuthKey, entries: [KeyEntry]) {
        self.key = key
        self.entries = entries
    }
}

/// What became of an update.
public enum UpdateOutcome: Sendable, Equatable {
    case updated(ChangedKey)
    case unknown
    /// The key has another version than the caller expected.
    case outdated
    /// The change breaks a rule.
    case refused(AuthKeyError)
}

/// What became of a deletion.
public enum DeleteOutcome: Sendable, Equatable {
    /// The entries say that the secrets are gone.
    case deleted([KeyEntry])
    case unknown
    case outdated
    /// Only a deactivated key can be deleted.
    case notDeactivated
}

/// A secret to take the place of a key's.
public struct Rotation: Sendable, Equatable {
    /// What it is called.
    public let id: KeyID
    public let secret: NewSecret
    /// How long the secret before it stays good.
    public let grace: Duration

    public init(id: KeyID, secret: NewSecret, grace: Duration) {
        self.id = id
        self.secret = secret
        self.grace = grace
    }
}

/// What became of a rotation.
public enum RotateOutcome: Sendable, Equatable {
    case rotated(ChangedKey)
    /// The same claim carried this rotation out before.
    case replayed(KeyID)
    case claimedOtherwise
    case unknown
    case outdated
    /// The key is deactivated or expired: a new secret would open nothing.
    case ended
}
