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
    package let limits: [Limit]?
    package let credits: Credits?
    package let retryAfter: Int?

    /// A limit after the request.
    package struct Limit: Codable, Sendable {
        package let name: String
        package let limit: Int64
        package let remaining: Int64
        package let resetSeconds: Int64?
        package let exceeded: Bool
        package let reportOnly: Bool?

        enum CodingKeys: String, CodingKey {
            case name, limit, remaining, exceeded
            case resetSeconds = "reset_seconds"
            case reportOnly = "report_only"
        }
    }

    package struct Credits: Codable, Sendable {
        package let remaining: Int64?
        package let exceeded: Bool
    }

    package enum CodingKeys: String, CodingKey, CaseIterable {
        case valid, code, status, message, name, owner, scopes, metadata, limits, credits
        case retryAfter = "retry_after"
        case wwwAuthenticate = "www_authenticate"
        case keyID = "key_id"
        case expiresAt = "expires_at"
    }
}
