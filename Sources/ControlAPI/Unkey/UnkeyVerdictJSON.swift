import AuthKeys

/// What `keys.verifyKey` tells of a key. What is empty is left out; of a key that is not found, nothing is told.
struct UnkeyVerdictJSON: Encodable {
    let valid: Bool
    let code: Code
    let keyID: String?
    let name: String?
    let meta: JSONValue?
    let expires: Int64?
    let enabled: Bool?
    let permissions: [String]?
    let identity: UnkeyIdentity?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case valid, code, name, meta, expires, enabled, permissions, identity
        case keyID = "keyId"
    }

    /// Nil where keys cannot be verified now.
    init?(_ decision: Decision) {
        let known: KeyProfile?
        switch decision {
        case .unavailable: return nil
        case .admitted(let key): (valid, code, known) = (true, .valid, key)
        case .refused(let refusal, let key): (valid, code, known) = (false, Code(refusal, key), key)
        }
        let key = code == .notFound ? nil : known
        keyID = key?.principal.keyID.description
        name = key?.principal.name
        meta = key.flatMap { $0.metadata.isEmpty ? nil : JSONBody.value($0.metadata) }
        expires = key?.principal.expiresAt?.milliseconds
        enabled = key.map { $0.state == .active }
        permissions = key.flatMap { $0.principal.scopes.isEmpty ? nil : $0.principal.scopes }
        identity = key?.principal.owner.map { UnkeyIdentity($0) }
    }
}

extension UnkeyVerdictJSON {
    /// Those of Unkey's codes that say something that there is here.
    enum Code: String, CaseIterable, Encodable {
        case valid = "VALID"
        case notFound = "NOT_FOUND"
        /// Not from there, not for that, or not yet.
        case forbidden = "FORBIDDEN"
        case insufficientPermissions = "INSUFFICIENT_PERMISSIONS"
        case disabled = "DISABLED"
        case expired = "EXPIRED"

        /// - Parameter profile: of the key, if there is one.
        init(_ refusal: Refusal, _ profile: KeyProfile?) {
            self =
                switch refusal {
                case .unknown, .missing, .malformed: .notFound
                case .inactive: profile?.state == .disabled ? .disabled : .notFound
                case .expired: .expired
                case .scopeMissing: .insufficientPermissions
                case .notYetValid, .ipNotAllowed, .methodNotAllowed, .pathNotAllowed, .methodAmbiguous, .pathAmbiguous:
                    .forbidden
                }
        }
    }
}
