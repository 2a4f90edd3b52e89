import AuthKeys

/// A key as a token of OAuth (RFC 7662 section 2.2). Empty members are omitted; a key that is not active has no members
/// but `active`.
struct IntrospectionJSON: Encodable {
    var active = false
    var scope: String?
    /// The key's id: a key is its own client.
    var clientID: String?
    /// The key's name.
    var username: String?
    /// The owner; the key's id where it has none.
    var sub: String?
    /// The expiry in seconds since 1970, the unit of `iat` and `nbf` too.
    var exp: Int64?
    /// The time at which the key's id was created.
    var iat: Int64?
    var nbf: Int64?
    var jti: String?
    var iss: String?
    var tokenType: String?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case active, scope, username, sub, exp, iat, nbf, jti, iss
        case clientID = "client_id"
        case tokenType = "token_type"
    }

    static let inactive = IntrospectionJSON()
}

extension IntrospectionJSON {
    init(_ key: KeyProfile, issuer: String) {
        let id = key.principal.keyID
        active = true
        scope = key.principal.scopes.isEmpty ? nil : key.principal.scopes.joined(separator: " ")
        clientID = id.description
        username = key.principal.name
        sub = key.principal.owner ?? id.description
        exp = key.principal.expiresAt?.seconds
        iat = id.createdAt?.seconds
        nbf = key.notBefore.map { $0.seconds + ($0.microseconds % 1_000_000 == 0 ? 0 : 1) }
        jti = id.description
        iss = issuer
        tokenType = "Bearer"
    }
}
