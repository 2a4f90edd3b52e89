package import AuthKeys

/// The result of a verification. Empty members are omitted. The server writes it by hand (`VerifyJSON`).
package struct VerdictJSON: Codable, Sendable {
    package let valid: Bool
    package let code: String
    package let status: Int
    package let wwwAuthenticate: String?
    package let message: String?
    package let keyID: String?
    package let name: String?
    package let owner: String?
    package let scopes: [String]?
    package let metadata: [String: JSONValue]?
    package let expiresAt: String?

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case valid, code, status, message, name, owner, scopes, metadata
        case wwwAuthenticate = "www_authenticate"
        case keyID = "key_id"
        case expiresAt = "expires_at"
    }
}
