/// The identity behind a verified request, which is passed on.
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

    /// Returns true if one of the scopes covers the given one: `documents:*` covers `documents:read`.
    public func has(scope: String) -> Bool {
        Array(scopes.joined(separator: " ").utf8).withUnsafeBytes { ScopePattern.covers($0, Array(scope.utf8)) }
    }
}
