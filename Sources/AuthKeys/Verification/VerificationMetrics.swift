import Metrics

/// The metrics `keyward_verifications_total` by outcome, and `keyward_policy_reports_total` by rule.
struct VerificationMetrics: Sendable {
    private let valid = Self.counter("valid")
    private let notAvailable = Self.counter("unavailable")
    /// In the order of `Refusal.allCases`.
    private let refusals = Refusal.allCases.map { Self.counter($0.code) }
    private let reports = PolicyRule.allCases.map {
        (rule: $0, counter: Counter(label: "keyward_policy_reports_total", dimensions: [("rule", $0.rawValue)]))
    }

    func admitted() {
        valid.increment()
    }

    func unavailable() {
        notAvailable.increment()
    }

    func refused(_ refusal: Refusal) {
        if let index = Refusal.allCases.firstIndex(of: refusal) { refusals[index].increment() }
    }

    /// Counts rules that only reported a request instead of refusing it.
    func reported(_ rules: PolicyRules) {
        for report in reports where rules.contains(report.rule) { report.counter.increment() }
    }

    private static func counter(_ outcome: String) -> Counter {
        Counter(label: "keyward_verifications_total", dimensions: [("outcome", outcome)])
    }
}
