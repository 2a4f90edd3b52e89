import AuthKeys
import HTTPTypes
import KeyAdministration

extension APIError {
    /// Converts a failure of the store into the caller's error.
    /// - Parameters:
    ///   - repetition: the effect of repeating the request, if the outcome of a change is unknown.
    ///   - noun: the subject of the request.
    ///   - requestID: the id of the request, under which the audit trail records its change.
    init(
        _ failure: StoreError.Kind, _ repetition: AuthKeyError.Repetition, about noun: String, requestID: String
    ) {
        switch failure {
        case .unavailable:
            // The contract of the admin API states this type for this status.
            self.init(
                .serviceUnavailable, .invalidRequest, "auth keys feature is unavailable", code: "feature_unavailable",
                headers: [.retryAfter: "1"])
        case .outcomeUnknown: self = .outcomeUnknown(repetition, requestID: requestID)
        case .conflict:
            self.init(.conflict, .conflict, "an \(noun) with this secret or id exists already", code: "duplicate")
        case .failed: self = .internal
        }
    }

    /// The error for a change that the database received and did not confirm. It has `Retry-After` only if a repetition
    /// is harmless, because clients repeat such responses automatically.
    private static func outcomeUnknown(_ repetition: AuthKeyError.Repetition, requestID: String) -> APIError {
        let advice =
            switch repetition {
            case .harmless: "repeat the request, or look for"
            case .sameIdempotencyKey: "repeat the request with the same Idempotency-Key, or look for"
            case .duplicating: "before you repeat the request, look for"
            }
        return APIError(
            .serviceUnavailable, .unavailable,
            "the database did not confirm the change, which may have been carried out: \(advice) request \(requestID) in the "
                + "audit trail (\(AuditRoutes.path)?request_id=\(requestID))",
            code: "outcome_unknown", headers: repetition == .duplicating ? [:] : [.retryAfter: "1"])
    }
}
