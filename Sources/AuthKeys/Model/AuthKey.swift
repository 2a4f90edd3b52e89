/// The record of a key as admins see it. No secret and no digest is part of it.
public struct AuthKey: Sendable, Equatable {
    public let id: KeyID
    public let name: String
    /// Free text; empty when there is none.
    public let description: String
    /// Whom the key belongs to, in the operator's own terms; nil when that was not said.
    public let owner: String?
    /// What the key may do, in the operator's own terms.
    public let scopes: [String]
    /// The prefix and the last four characters of the newest secret.
    public let prefix: String
    public let lastFour: String
    /// A pause that can be taken back, apart from the deactivation, which cannot.
    public let enabled: Bool
    public let expiresAt: Timestamp?
    public let deactivatedAt: Timestamp?
    public let createdAt: Timestamp
    public let updatedAt: Timestamp
    /// One more with each change; begins at 1.
    public let version: Int64

    public init(
        id: KeyID, name: String, description: String, owner: String?, scopes: [String], prefix: String,
        lastFour: String,
        enabled: Bool, expiresAt: Timestamp?, deactivatedAt: Timestamp?, createdAt: Timestamp, updatedAt: Timestamp,
        version: Int64
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.owner = owner
        self.scopes = scopes
        self.prefix = prefix
        self.lastFour = lastFour
        self.enabled = enabled
        self.expiresAt = expiresAt
        self.deactivatedAt = deactivatedAt
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.version = version
    }

    /// `<prefix>_...<last four>`, by which people recognise a key.
    public var redactedValue: String { "\(prefix)_...\(lastFour)" }

    /// Whether the key opens anything at that moment.
    public func isActive(at now: Timestamp) -> Bool {
        enabled && deactivatedAt == nil && expiresAt.map { $0 > now } ?? true
    }
}
