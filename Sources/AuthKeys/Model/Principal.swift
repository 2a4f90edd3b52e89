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
}
