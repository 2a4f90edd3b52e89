import Logging
import Synchronization

/// Tells the operator what rules that only report would have refused: every one is counted, and one a second logged.
final class PolicyReports: Sendable {
    private let metrics: VerificationMetrics
    private let logger: Logger
    private let time: TimeSource
    private let next = Atomic<Int64>(.min)

    init(metrics: VerificationMetrics, logger: Logger, time: TimeSource) {
        self.metrics = metrics
        self.logger = logger
        self.time = time
    }

    func note(_ rules: PolicyRules, of key: KeyID) {
        metrics.reported(rules)
        let now = time.now().microseconds
        let due = next.load(ordering: .relaxed)
        guard now >= due,
            next.compareExchange(expected: due, desired: now + 1_000_000, ordering: .relaxed).exchanged
        else { return }
        let names = PolicyRule.allCases.filter(rules.contains).map(\.rawValue).joined(separator: " ")
        logger.notice(
            "a rule that only reports would have refused a request",
            metadata: ["rules": "\(names)", "key_id": "\(key)"])
    }
}
