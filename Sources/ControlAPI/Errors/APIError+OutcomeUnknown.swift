import AuthKeys
import HTTPTypes

extension APIError {
    static let outcomeUnknownCode = "outcome_unknown"

    /// A change was sent to the database and not confirmed. `Retry-After` is there only where a repetition does no harm: clients
    /// repeat by themselves what has it.
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
