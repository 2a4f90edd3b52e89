/// The outcome of a creation.
public enum CreateOutcome: Sendable, Equatable {
    case created(AuthKey)
    /// The same claim created this key before.
    case replayed(KeyID)
    /// The same idempotency key was used with another request before.
    case claimedOtherwise
}

/// A key after a change, with the index entry of each of its secrets.
public struct ChangedKey: Sendable, Equatable {
    public let key: AuthKey
    public let entries: [KeyEntry]

    public init(key: AuthKey, entries: [KeyEntry]) {
        self.key = key
        self.entries = entries
    }
}

/// The outcome of an update.
public enum UpdateOutcome: Sendable, Equatable {
    case updated(ChangedKey)
    case unknown
    /// The key has another version than the caller expected.
    case outdated
    /// The change breaks a rule.
    case refused(AuthKeyError)
}

/// The outcome of a deletion.
public enum DeleteOutcome: Sendable, Equatable {
    /// The entries are tombstones of the secrets.
    case deleted([KeyEntry])
    case unknown
    case outdated
    /// Only a deactivated key can be deleted.
    case notDeactivated
}

/// A new secret that replaces a key's secret.
public struct Rotation: Sendable, Equatable {
    /// The id of the rotation.
    public let id: KeyID
    public let secret: NewSecret
    /// The time for which the previous secret stays valid.
    public let grace: Duration

    public init(id: KeyID, secret: NewSecret, grace: Duration) {
        self.id = id
        self.secret = secret
        self.grace = grace
    }
}

/// The outcome of a rotation.
public enum RotateOutcome: Sendable, Equatable {
    case rotated(ChangedKey)
    /// The same claim carried this rotation out before.
    case replayed(KeyID)
    case claimedOtherwise
    case unknown
    case outdated
    /// The key is deactivated or expired: a new secret would grant no access.
    case ended
}
