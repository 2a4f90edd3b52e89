import AuthKeys
import HTTPCredentials

/// The response of `keys.verifyKey` about a key. Empty members are omitted; a key that is not found has no attributes.
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

    /// Returns nil while keys cannot be verified.
    init?(_ outcome: RequestVerifier.Outcome<KeyProfile>) {
        let known: KeyProfile?
        switch outcome {
        case .verdict(.unavailable, _), .verdict(.unresolved, _), .preflight, .ambiguousCredentials: return nil
        case .verdict(.admitted(_, let key), _): (valid, code, known) = (true, .valid, key)
        case .verdict(.refused(let refusal, let key), _): (valid, code, known) = (false, Code(refusal, key), key)
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
    /// The codes of Unkey that apply to Keyward.
    enum Code: String, CaseIterable, Encodable {
        case valid = "VALID"
        case notFound = "NOT_FOUND"
        /// The address, method, path or time is not allowed.
        case forbidden = "FORBIDDEN"
        case insufficientPermissions = "INSUFFICIENT_PERMISSIONS"
        case disabled = "DISABLED"
        case expired = "EXPIRED"
        case rateLimited = "RATE_LIMITED"
        case usageExceeded = "USAGE_EXCEEDED"

        /// - Parameter profile: the profile of the key, if it is known.
        init(_ refusal: Refusal, _ profile: KeyProfile?) {
            self =
                switch refusal {
                case .unknown, .missing, .malformed: .notFound
                case .inactive: profile?.state == .disabled ? .disabled : .notFound
                case .expired: .expired
                case .scopeMissing: .insufficientPermissions
                case .rateLimited, .quotaExceeded, .concurrencyExceeded: .rateLimited
                case .creditsExhausted: .usageExceeded
                case .notYetValid, .ipNotAllowed, .methodNotAllowed, .pathNotAllowed, .methodAmbiguous, .pathAmbiguous:
                    .forbidden
                }
        }
    }
}
