/// Why a credential does not open the door. The code is part of the API: it stands in error bodies, metrics and logs.
public enum Refusal: String, Error, Sendable, CaseIterable {
    /// No credential came with the request.
    case missing = "key_missing"
    /// It is no token: wrong shape, or wrong checksum.
    case malformed = "key_malformed"
    /// It is a token, but none that exists.
    case unknown = "key_unknown"
    case expired = "key_expired"
    /// Disabled or deactivated.
    case inactive = "key_inactive"

    public var code: String { rawValue }

    /// A sentence for the caller.
    public var message: String {
        switch self {
        case .missing: "no API key was given: send it as 'Authorization: Bearer <key>' or in X-API-Key"
        case .malformed: "the API key is malformed: it may have been cut or mistyped"
        case .unknown: "the API key is not known"
        case .expired: "the API key has expired"
        case .inactive: "the API key is not active"
        }
    }

    /// The `error` of RFC 6750 section 3.1; nil where the section wants none (no credential was given).
    public var bearerError: String? {
        self == .missing ? nil : "invalid_token"
    }
}
