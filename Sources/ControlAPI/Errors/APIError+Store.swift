import HTTPTypes
import KeyAdministration

extension APIError {
    static let outcomeUnknownCode = "outcome_unknown"

    /// The error for a change that the database received and did not confirm. It has `Retry-After` only if a repetition
    /// is harmless, because clients repeat such responses automatically.
    static func outcomeUnknown(_ repetition: AuthKeyError.Repetition, requestID: String) -> APIError {
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
            code: outcomeUnknownCode, headers: repetition == .duplicating ? [:] : [.retryAfter: "1"])
    }
}
