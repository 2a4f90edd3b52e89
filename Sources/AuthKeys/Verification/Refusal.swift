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

    public var code: String { rawValue }

    /// The kind of a refusal, with its HTTP status.
    public enum Kind: Sendable {
        /// 400: the request is invalid.
        case request
        /// 401: the credential is invalid.
        case authentication
        /// 403: the credential is valid for other requests.
        case permission

        public var status: Int {
            switch self {
            case .request: 400
            case .authentication: 401
            case .permission: 403
            }
        }

        /// The `type` of the error body.
        public var type: String {
            switch self {
            case .request: "invalid_request_error"
            case .authentication: "authentication_error"
            case .permission: "permission_error"
            }
        }
    }

    public var kind: Kind {
        switch self {
        case .missing, .malformed, .unknown, .expired, .inactive, .notYetValid: .authentication
        case .ipNotAllowed, .methodNotAllowed, .pathNotAllowed, .scopeMissing: .permission
        case .methodAmbiguous, .pathAmbiguous: .request
        }
    }

    /// The message for the caller.
    public var message: String {
        switch self {
        case .missing: "no API key was given: send it as 'Authorization: Bearer <key>' or in X-API-Key"
        case .malformed: "the API key is malformed: it may have been cut or mistyped"
        case .unknown: "the API key is not known"
        case .expired: "the API key has expired"
        case .inactive: "the API key is not active"
        case .notYetValid: "the API key is not valid yet"
        case .ipNotAllowed: "the API key may not be used from this address"
        case .methodNotAllowed: "the API key may not be used with this method"
        case .pathNotAllowed: "the API key may not be used for this path"
        case .methodAmbiguous: "the method differs from a known one in case: send it in capitals"
        case .pathAmbiguous: "the path is ambiguous: send it without empty, dot and encoded segments"
        case .scopeMissing: "the API key lacks a scope that this request needs"
        }
    }

    /// The `error` of RFC 6750 section 3.1; nil if the section requires none (no credential was sent), or defines none.
    public var bearerError: String? {
        switch self {
        case .missing, .methodAmbiguous, .pathAmbiguous, .ipNotAllowed, .methodNotAllowed, .pathNotAllowed: nil
        case .malformed, .unknown, .expired, .inactive, .notYetValid: "invalid_token"
        case .scopeMissing: "insufficient_scope"
        }
    }
}
