/// Whom a verified request comes from: what is carried onward.
public struct Principal: Sendable, Equatable {
    public let keyID: KeyID
    public let name: String
    public let owner: String?
    public let scopes: [String]
    public let expiresAt: Timestamp?

    public init(keyID: KeyID, name: String, owner: String?, scopes: [String], expiresAt: Timestamp?) {
        self.keyID = keyID
        self.name = name
        self.owner = owner
        self.scopes = scopes
        self.expiresAt = expiresAt
    }

    /// Whether one of the scopes covers that one: `documents:*` covers `documents:read`.
    public func has(scope: String) -> Bool {
        Array(scopes.joined(separator: " ").utf8).withUnsafeBytes { ScopePattern.covers($0, Array(scope.utf8)) }
    }
}
