import AuthKeys
import NIOHTTP1

extension SelfServiceFault {
    var row: Answer.Row {
        switch self {
        case .methodNotAllowed(let methods):
            Answer.Row(
                .methodNotAllowed, "invalid_request_error", "method_not_allowed", "only \(methods) is accepted here")
        case .bodyTooLarge:
            Answer.Row(
                .payloadTooLarge, "invalid_request_error", "body_too_large",
                "the body must be at most \(SelfRequest.bodyLimit) bytes")
        case .invalidJSON:
            Answer.Row(
                .badRequest, "invalid_request_error", "invalid_json", "the body must be empty or a JSON object")
        case .invalidGrace(let limit):
            Answer.Row(
                .badRequest, "invalid_request_error", "validation_failed",
                "the body takes only grace_seconds, a whole number from 0 to \(limit)")
        case .rotationNotAllowed:
            Answer.Row(
                .forbidden, "permission_error", "self_rotation_not_allowed",
                "the API key may not be rotated by its holder")
        case .secretReplaced:
            Answer.Row(
                .forbidden, "permission_error", "secret_replaced",
                "the API key has a newer secret: use it for a rotation")
        case .keyEnded: Answer.refused(.inactive).row
        case .rotatedRecently(let seconds):
            Answer.Row(
                .tooManyRequests, "rate_limit_error", "rotated_recently",
                "the API key was rotated less than a minute ago", retryAfter: seconds)
        case .outcomeUnknown:
            Answer.Row(
                .serviceUnavailable, "unavailable_error", "outcome_unknown",
                "the API key may have been rotated: an admin can find out in the audit trail by the id of this request")
        case .unavailable:
            Answer.Row(
                .serviceUnavailable, "unavailable_error", "feature_unavailable",
                "the API key cannot be rotated at the moment: try again", retryAfter: 1)
        }
    }
}
