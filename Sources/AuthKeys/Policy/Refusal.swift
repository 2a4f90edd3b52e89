/// The reason why a credential is refused. The code is part of the API: it appears in error bodies, metrics and logs.
public enum Refusal: String, Error, Sendable, CaseIterable {
    /// The request has no credential.
    case missing = "key_missing"
    /// The credential is not a token: its format or its checksum is invalid.
    case malformed = "key_malformed"
    /// The credential is a token that does not exist.
    case unknown = "key_unknown"
    case expired = "key_expired"
    /// Disabled or deactivated.
    case inactive = "key_inactive"
    /// The key's `not_before` is in the future.
    case notYetValid = "key_not_yet_valid"
    /// The key is valid, but not from this address.
    case ipNotAllowed = "ip_not_allowed"
    /// The key is valid, but not for this method.
    case methodNotAllowed = "method_not_allowed"
    /// The key is valid, but not for this path.
    case pathNotAllowed = "path_not_allowed"
    /// The method differs from a known one in case alone.
    case methodAmbiguous = "method_ambiguous"
    /// The path is ambiguous, and a rule depends on it.
    case pathAmbiguous = "path_ambiguous"
    /// The key is valid, but lacks a scope that the request needs.
    case scopeMissing = "scope_missing"
    /// The request names a limit that the key lacks.
    case limitUnknown = "limit_unknown"
    /// A rate limit has no room for the request.
    case rateLimited = "rate_limited"
    /// A quota has no room for the request.
    case quotaExceeded = "quota_exceeded"
    /// The key has fewer credits than the request costs.
    case creditsExhausted = "credits_exhausted"
    /// Too many requests of the key are under way.
    case concurrencyExceeded = "concurrency_exceeded"

    public var code: String { rawValue }

    /// The kind of a refusal.
    public enum Kind: Sendable {
        /// The request is invalid.
        case request
        /// The credential is invalid.
        case authentication
        /// The credential is valid for other requests.
        case permission
        /// The credential is valid, but a limit has no room for the request.
        case limit
    }

    public var kind: Kind {
        switch self {
        case .missing, .malformed, .unknown, .expired, .inactive, .notYetValid: .authentication
        case .ipNotAllowed, .methodNotAllowed, .pathNotAllowed, .scopeMissing: .permission
        case .methodAmbiguous, .pathAmbiguous, .limitUnknown: .request
        case .rateLimited, .quotaExceeded, .creditsExhausted, .concurrencyExceeded: .limit
        }
    }
}
