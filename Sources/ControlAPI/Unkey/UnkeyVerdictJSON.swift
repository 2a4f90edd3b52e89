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
    /// The credits that are left.
    let credits: Int64?
    let ratelimits: [Ratelimit]?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case valid, code, name, meta, expires, enabled, permissions, identity, credits, ratelimits
        case keyID = "keyId"
    }

    /// The state of a rate limit or a quota after the request.
    struct Ratelimit: Encodable {
        /// The name, since limits have no identifiers of their own.
        let id: String
        let name: String
        let limit: Int64
        /// In milliseconds.
        let duration: Int64
        /// The time at which all units are back, in milliseconds since 1970.
        let reset: Int64
        let remaining: Int64
        let exceeded: Bool
        /// False if the request named the limit.
        let autoApply: Bool

        /// Returns nil for credits and for a concurrency limit.
        init?(_ state: LimitStatus, of request: IncomingRequest, at now: Timestamp) {
            guard state.kind != .credits, let window = state.window else { return nil }
            (id, name, limit) = (state.name, state.name, state.limit)
            duration = window.nanoseconds / 1_000_000
            reset = now.advanced(by: state.reset ?? .zero).milliseconds
            (remaining, exceeded) = (state.remaining, state.refusal != nil)
            autoApply = !request.spending.asked.contains { $0.name.elementsEqual(state.name.utf8) }
        }
    }

    /// Returns nil while keys cannot be verified.
    init?(_ outcome: RequestVerifier.Outcome<KeyProfile>, of request: IncomingRequest, at now: Timestamp = .now) {
        let known: KeyProfile?
        switch outcome {
        case .verdict(.unavailable, _), .verdict(.unresolved, _), .preflight, .ambiguousCredentials: return nil
        case .tooManyFailedAttempts: (valid, code, known) = (false, .rateLimited, nil)
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
        credits = key?.limits.first { $0.kind == .credits && $0.remaining >= 0 }?.remaining
        let limits = key?.limits.compactMap { Ratelimit($0, of: request, at: now) } ?? []
        ratelimits = limits.isEmpty ? nil : limits
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
                // The route refuses a request that names an unknown limit.
                case .notYetValid, .ipNotAllowed, .methodNotAllowed, .pathNotAllowed, .methodAmbiguous, .pathAmbiguous,
                    .limitUnknown:
                    .forbidden
                }
        }
    }
}
