/// The record of a key as admins see it. No secret and no digest is part of it.
@dynamicMemberLookup
public struct AuthKey: Sendable, Equatable {
    public let id: KeyID
    public var attributes: KeyAttributes
    /// The beginning of the newest secret, including its separator, and its last four characters; empty if unknown.
    public let prefix: String
    public let lastFour: String
    /// The previous secret, while a rotation keeps both valid.
    public let previous: PreviousSecret?
    /// The time of the newest secret's last use; nil for never.
    public let secretLastUsedAt: Timestamp?
    public let usage: KeyUsage
    public let deactivatedAt: Timestamp?
    public let createdAt: Timestamp
    public let updatedAt: Timestamp
    /// Incremented by each change; starts at 1.
    public let version: Int64

    /// A secret that a rotation has replaced and that is valid until its grace period ends.
    public struct PreviousSecret: Sendable, Equatable {
        public let redactedValue: String
        public let expiresAt: Timestamp
        /// Nil for never.
        public let lastUsedAt: Timestamp?

        public init(prefix: String, lastFour: String, expiresAt: Timestamp, lastUsedAt: Timestamp? = nil) {
            redactedValue = AuthKey.redact(prefix: prefix, lastFour: lastFour)
            self.expiresAt = expiresAt
            self.lastUsedAt = lastUsedAt
        }
    }

    public init(
        id: KeyID, attributes: KeyAttributes, prefix: String, lastFour: String, previous: PreviousSecret? = nil,
        secretLastUsedAt: Timestamp? = nil, usage: KeyUsage = KeyUsage(), deactivatedAt: Timestamp?,
        createdAt: Timestamp, updatedAt: Timestamp, version: Int64
    ) {
        self.id = id
        self.attributes = attributes
        self.prefix = prefix
        self.lastFour = lastFour
        self.previous = previous
        self.secretLastUsedAt = secretLastUsedAt
        self.usage = usage
        self.deactivatedAt = deactivatedAt
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.version = version
    }

    public subscript<Value>(dynamicMember path: KeyPath<KeyAttributes, Value>) -> Value {
        attributes[keyPath: path]
    }

    /// The form `<prefix>_...<last four>`, by which people recognise a key.
    public var redactedValue: String { Self.redact(prefix: prefix, lastFour: lastFour) }

    static func redact(prefix: String, lastFour: String) -> String { "\(prefix)...\(lastFour)" }

    /// The prefix for another token of Keyward's own format with the same beginning as the newest secret; nil if there
    /// is none.
    var tokenPrefix: TokenPrefix? {
        TokenPrefix(prefix.hasSuffix("_") ? String(prefix.dropLast()) : prefix)
    }

    /// Returns true if the key is valid at that time.
    public func isActive(at now: Timestamp) -> Bool {
        attributes.enabled && deactivatedAt == nil && attributes.expiresAt.map { $0 > now } ?? true
    }
}
