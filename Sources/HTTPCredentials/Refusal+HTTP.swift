public import AuthKeys

extension Refusal.Kind {
    /// The status of the response.
    public var status: Int {
        switch self {
        case .request: 400
        case .authentication: 401
        case .permission: 403
        case .limit: 429
        }
    }

    /// The `type` of the error body.
    public var type: String {
        switch self {
        case .request: "invalid_request_error"
        case .authentication: "authentication_error"
        case .permission: "permission_error"
        case .limit: "rate_limit_error"
        }
    }
}

extension Refusal {
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
        case .limitUnknown: "the API key lacks a limit that the request names"
        case .rateLimited: "the API key has reached a rate limit"
        case .quotaExceeded: "the API key has reached a quota"
        case .creditsExhausted: "the API key has too few credits for this request"
        case .concurrencyExceeded: "too many requests of the API key are under way"
        }
    }

    /// The `error` of RFC 6750 section 3.1; nil if the section requires none (no credential was sent), or defines none.
    public var bearerError: String? {
        switch self {
        case .missing, .methodAmbiguous, .pathAmbiguous, .ipNotAllowed, .methodNotAllowed, .pathNotAllowed,
            .limitUnknown, .rateLimited, .quotaExceeded, .creditsExhausted, .concurrencyExceeded:
            nil
        case .malformed, .unknown, .expired, .inactive, .notYetValid: "invalid_token"
        case .scopeMissing: "insufficient_scope"
        }
    }
}
