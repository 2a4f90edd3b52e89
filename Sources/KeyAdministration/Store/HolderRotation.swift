public import AuthKeys

/// A rotation of a key by its holder.
public struct HolderRotation: Sendable, Equatable {
    /// The minimum time after the last rotation of the key, so that a leaked key cannot fill the database with secrets.
    public static let interval = Duration.seconds(60)

    public let rotation: Rotation
    /// The digest of the secret that the holder presented.
    public let presented: SecretDigest

    public init(_ rotation: Rotation, presented: SecretDigest) {
        self.rotation = rotation
        self.presented = presented
    }
}

/// The outcome of a rotation by the holder of the key.
public enum HolderRotateOutcome: Sendable, Equatable {
    case rotated(ChangedKey)
    case refused(HolderRefusal)
}

/// The reason why a holder may not rotate a key.
public enum HolderRefusal: Sendable, Equatable {
    /// The key is deleted, deactivated, disabled or expired.
    case ended
    /// The key does not allow it.
    case notAllowed
    /// The presented secret is not the newest one of the key.
    case secretReplaced
    /// The key was rotated within the interval. The time is the rest of it.
    case tooSoon(Duration)

    /// Returns the refusal of a rotation; nil if the key may be rotated.
    /// - Parameters:
    ///   - newest: the digest of the key's newest secret.
    ///   - sinceRotation: the time since the last rotation; nil if the key has never been rotated.
    public static func of(
        _ key: AuthKey, _ rotation: HolderRotation, newest: SecretDigest?, sinceRotation: Duration?, at now: Timestamp
    ) -> HolderRefusal? {
        guard key.isActive(at: now) else { return .ended }
        guard key.selfRotation else { return .notAllowed }
        guard newest == rotation.presented else { return .secretReplaced }
        if let since = sinceRotation, since < HolderRotation.interval {
            return .tooSoon(HolderRotation.interval - since)
        }
        return nil
    }
}
