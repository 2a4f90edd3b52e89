import AuthKeys
import HTTPCredentials
import NIOHTTP1

/// A response that the gateway itself produces instead of the upstream's.
enum Answer: Equatable, Sendable {
    case refused(Refusal)
    /// The key lacks one of these scopes.
    case scopeMissing(ScopeRequirement)
    case limited(LimitRefusal)
    case ambiguousCredentials
    /// The client's network has sent too many keys that do not exist.
    case tooManyFailedAttempts(retryAfter: Int)
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
    /// The refusal of a request about its own key.
    case selfService(SelfServiceFault)
}

extension Answer {
    /// The fixed parts of a response.
    struct Row {
        /// The status, with its reason phrase.
        let status: HTTPResponseStatus
        /// The error in the body. The message contains no character that needs escaping in JSON or in a quoted string.
        let error: (type: String, code: String, message: String)
        /// Seconds after which a retry may succeed.
        var retryAfter: Int?
        /// True if the start of the next message on the connection cannot be determined.
        var losesFraming = false
    }

    var row: Row {
        switch self {
        case .refused(let refusal): Row(refusal)
        case .scopeMissing: Row(.scopeMissing)
        case .limited(let limited): Row(limited.refusal, retryAfter: limited.retryAfter)
        case .ambiguousCredentials: Row(status: .badRequest, error: ErrorText.ambiguous)
        case .tooManyFailedAttempts(let seconds):
            Row(status: .tooManyRequests, error: ErrorText.tooManyFailedAttempts, retryAfter: seconds)
        case .verificationUnavailable: Row(status: .serviceUnavailable, error: ErrorText.unavailable, retryAfter: 1)
        case .overloaded:
            Row(
                .serviceUnavailable, "unavailable_error", "overloaded", "too many requests are in flight: try again",
                retryAfter: 1)
        case .tooManyConcurrent:
            Row(
                .tooManyRequests, "rate_limit_error", "too_many_concurrent_requests",
                "too many requests of this key are in flight: try again when some have ended", retryAfter: 1)
        case .notRouted: Row(.notFound, "not_found_error", "route_not_found", "no upstream serves this path")
        case .malformedRequest: Row(unreadable: .badRequest, "malformed_request", "the request is not valid HTTP")
        case .targetTooLong: Row(unreadable: .uriTooLong, "target_too_long", "the request target is too long")
        case .headTooLarge:
            Row(
                unreadable: .requestHeaderFieldsTooLarge, "headers_too_large",
                "the request has too many header fields, or too large ones")
        case .versionNotSupported:
            Row(
                unreadable: .httpVersionNotSupported, "version_not_supported",
                "only HTTP/1.1 and HTTP/1.0 are supported")
        case .methodNotAllowed:
            Row(unreadable: .methodNotAllowed, "method_not_supported", "CONNECT and TRACE are not forwarded")
        case .requestTimeout:
            Row(unreadable: .requestTimeout, "request_timeout", "the request did not arrive in time")
        case .upstreamUnreachable:
            Row(.badGateway, "upstream_error", "upstream_unreachable", "the upstream cannot be reached")
        case .upstreamReset:
            Row(
                .badGateway, "upstream_error", "upstream_reset",
                "the upstream ended the request without a valid response")
        case .upstreamTimeout:
            Row(.gatewayTimeout, "upstream_error", "upstream_timeout", "the upstream did not respond in time")
        case .selfService(let fault): fault.row
        }
    }

    var body: String {
        // Prepared, because frequent refusals must not cost more than admissions.
        if case .refused(let refusal) = self { return refusal.body }
        let error = row.error
        return ErrorText.body(type: error.type, message: message, code: error.code)
    }

    /// The body as problem details.
    var problem: String {
        let row = row
        return ErrorText.problem(
            status: Int(row.status.code), title: row.status.reasonPhrase, message: message, code: row.error.code)
    }

    private var message: String {
        switch self {
        case .scopeMissing(let needed): Refusal.scopeMissing.message(needing: needed)
        case .limited(let limited): limited.message
        case .malformedRequest(let fault?): fault.message
        default: row.error.message
        }
    }

    /// The value of `Allow`.
    var allow: String? {
        switch self {
        case .methodNotAllowed: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        case .selfService(.methodNotAllowed(let methods)): methods
        default: nil
        }
    }

    /// The value of `WWW-Authenticate`.
    var challenge: String? {
        switch self {
        case .refused(let refusal): refusal.challenge()
        case .scopeMissing(let needed): Refusal.scopeMissing.challenge(needing: needed)
        case .selfService(.keyEnded): Refusal.inactive.challenge()
        default: nil
        }
    }
}

extension Answer.Row {
    init(
        _ status: HTTPResponseStatus, _ type: String, _ code: String, _ message: String, retryAfter: Int? = nil
    ) {
        self.init(status: status, error: (type, code, message), retryAfter: retryAfter)
    }

    /// A refusal of a request whose end cannot be determined.
    fileprivate init(unreadable status: HTTPResponseStatus, _ code: String, _ message: String) {
        self.init(status: status, error: ("invalid_request_error", code, message), losesFraming: true)
    }

    fileprivate init(_ refusal: Refusal, retryAfter: Int? = nil) {
        let kind = refusal.kind
        self.init(
            HTTPResponseStatus(statusCode: kind.status), kind.type, refusal.code, refusal.message,
            retryAfter: retryAfter)
    }
}
