/// A decision on a hypothetical request: each evaluated step, in order.
package struct ExplanationJSON: Codable, Sendable {
    package struct Step: Codable, Sendable {
        package let rule: String
        /// `pass`, `refuse`, or `report` if a report-only rule refuses.
        package let outcome: String
        package let code: String?
        package let message: String?
        /// The units of a limit, those that are left, and the seconds until all are back.
        package let limit: Int64?
        package let remaining: Int64?
        package let resetSeconds: Int64?

        enum CodingKeys: String, CodingKey {
            case rule, outcome, code, message, limit, remaining
            case resetSeconds = "reset_seconds"
        }

        package init(
            rule: String, outcome: String, code: String?, message: String?, limit: Int64? = nil,
            remaining: Int64? = nil,
            resetSeconds: Int64? = nil
        ) {
            self.limit = limit
            self.remaining = remaining
            self.resetSeconds = resetSeconds
            self.rule = rule
            self.outcome = outcome
            self.code = code
            self.message = message
        }
    }

    package let allowed: Bool
    /// The code of the deciding refusal.
    package let code: String?
    /// The status that the caller would get.
    package let status: Int
    package let decision: [Step]

    package init(allowed: Bool, code: String?, status: Int, decision: [Step]) {
        self.allowed = allowed
        self.code = code
        self.status = status
        self.decision = decision
    }
}
