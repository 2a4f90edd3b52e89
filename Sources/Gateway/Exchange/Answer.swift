import AuthKeys

/// A response that the gateway itself produces instead of the upstream's.
enum Answer: Equatable, Sendable {
    case refused(Refusal)
    /// The key lacks one of these scopes.
    case scopeMissing(ScopeRequirement)
    case ambiguousCredentials
    /// Keys cannot be verified now.
    case verificationUnavailable
    /// The gateway has more requests in flight, or more connections, than its limits allow.
    case overloaded
    /// With the invalid byte of the request target, if that is the fault.
    case malformedRequest(TargetFault?)
    /// One key, or one client without a key, has more requests in flight than its share.
    case tooManyConcurrent
    /// No route has a prefix that matches the path.
    case notRouted
    case targetTooLong
    case headTooLarge
    case versionNotSupported
    case methodNotAllowed
    case requestTimeout
    case upstreamUnreachable
    case upstreamReset
    case upstreamTimeout

    var status: Int {
        switch self {
        case .malformedRequest, .ambiguousCredentials: 400
        case .refused(let refusal): refusal.kind.status
        case .scopeMissing: Refusal.scopeMissing.kind.status
        case .notRouted: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .targetTooLong: 414
        case .tooManyConcurrent: 429
        case .headTooLarge: 431
        case .upstreamUnreachable, .upstreamReset: 502
        case .verificationUnavailable, .overloaded: 503
        case .upstreamTimeout: 504
        case .versionNotSupported: 505
        }
    }

    var reason: String {
        switch self {
        case .malformedRequest, .ambiguousCredentials: "Bad Request"
        case .refused, .scopeMissing:
            switch status {
            case 400: "Bad Request"
            case 401: "Unauthorized"
            default: "Forbidden"
            }
        case .notRouted: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .requestTimeout: "Request Timeout"
        case .targetTooLong: "URI Too Long"
        case .tooManyConcurrent: "Too Many Requests"
        case .headTooLarge: "Request Header Fields Too Large"
        case .upstreamUnreachable, .upstreamReset: "Bad Gateway"
        case .verificationUnavailable, .overloaded: "Service Unavailable"
        case .upstreamTimeout: "Gateway Timeout"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }

    var type: String {
        switch self {
        case .refused(let refusal): refusal.kind.type
        case .scopeMissing: Refusal.scopeMissing.kind.type
        case .notRouted: "not_found_error"
        case .verificationUnavailable: ErrorText.unavailable.type
        case .overloaded: "unavailable_error"
        case .tooManyConcurrent: "rate_limit_error"
        case .upstreamUnreachable, .upstreamReset, .upstreamTimeout: "upstream_error"
        case .malformedRequest, .ambiguousCredentials, .targetTooLong, .headTooLarge, .versionNotSupported,
            .methodNotAllowed, .requestTimeout:
            "invalid_request_error"
        }
    }

    var code: String {
        switch self {
        case .refused(let refusal): refusal.code
        case .scopeMissing: Refusal.scopeMissing.code
        case .ambiguousCredentials: ErrorText.ambiguous.code
        case .upstreamUnreachable: "upstream_unreachable"
        case .upstreamReset: "upstream_reset"
        case .upstreamTimeout: "upstream_timeout"
        case .verificationUnavailable: ErrorText.unavailable.code
        case .overloaded: "overloaded"
        case .tooManyConcurrent: "too_many_concurrent_requests"
        case .malformedRequest: "malformed_request"
        case .notRouted: "route_not_found"
        case .targetTooLong: "target_too_long"
        case .headTooLarge: "headers_too_large"
        case .versionNotSupported: "version_not_supported"
        case .methodNotAllowed: "method_not_supported"
        case .requestTimeout: "request_timeout"
        }
    }

    /// A sentence for the caller. It contains no character that needs escaping in JSON or in a quoted string.
    var message: String {
        switch self {
        case .refused(let refusal): refusal.message
        case .scopeMissing(let needed): Refusal.scopeMissing.message(needing: needed)
        case .ambiguousCredentials: ErrorText.ambiguous.message
        case .verificationUnavailable: ErrorText.unavailable.message
        case .overloaded: "too many requests are in flight: try again"
        case .malformedRequest(let fault): fault?.message ?? "the request is not valid HTTP"
        case .tooManyConcurrent: "too many requests of this key are in flight: try again when some have ended"
        case .notRouted: "no upstream serves this path"
        case .targetTooLong: "the request target is too long"
        case .headTooLarge: "the request has too many header fields, or too large ones"
        case .versionNotSupported: "only HTTP/1.1 and HTTP/1.0 are supported"
        case .methodNotAllowed: "CONNECT and TRACE are not forwarded"
        case .requestTimeout: "the request did not arrive in time"
        case .upstreamUnreachable: "the upstream cannot be reached"
        case .upstreamReset: "the upstream ended the request without a valid response"
        case .upstreamTimeout: "the upstream did not respond in time"
        }
    }

    var body: String {
        if case .refused(let refusal) = self { return refusal.body }
        return ErrorText.body(type: type, message: message, code: code)
    }

    /// The value of `WWW-Authenticate`.
    var challenge: String? {
        switch self {
        case .refused(let refusal): refusal.challenge()
        case .scopeMissing(let needed): Refusal.scopeMissing.challenge(needing: needed)
        default: nil
        }
    }

    /// Seconds after which a retry may succeed.
    var retryAfter: Int? {
        switch self {
        case .verificationUnavailable, .overloaded, .tooManyConcurrent: 1
        default: nil
        }
    }

    /// True if the start of the next message on the connection cannot be determined.
    var losesFraming: Bool {
        switch self {
        case .malformedRequest, .targetTooLong, .headTooLarge, .versionNotSupported, .requestTimeout, .methodNotAllowed:
            true
        default: false
        }
    }
}
