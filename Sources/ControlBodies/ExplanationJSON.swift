/// A decision on a hypothetical request: each evaluated step, in order.
package struct ExplanationJSON: Codable, Sendable {
    package struct Step: Codable, Sendable {
        package let rule: String
        /// `pass`, `refuse`, or `report` if a report-only rule refuses.
        package let outcome: String
        package let code: String?
        package let message: String?

        package init(rule: String, outcome: String, code: String?, message: String?) {
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
