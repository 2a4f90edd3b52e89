import Logging
import Synchronization

/// Tells the operator what rules that only report would have refused: every one is counted, and logged as `ReportPace` says.
final class PolicyReports: Sendable {
    private let metrics: VerificationMetrics
    private let logger: Logger
    private let time: TimeSource
    private let pace = Mutex(ReportPace())

    init(metrics: VerificationMetrics, logger: Logger, time: TimeSource) {
        self.metrics = metrics
        self.logger = logger
        self.time = time
    }

    func note(_ rules: PolicyRules, of key: KeyID) {
        metrics.reported(rules)
        let now = time.uptime()
        for rule in PolicyRule.allCases where rules.contains(rule) {
            switch pace.withLock({ $0.note(rule, of: key, now: now) }) {
            case .key(let reports):
                logger.notice(
                    "a rule that only reports would have refused requests",
                    metadata: ["rule": "\(rule.rawValue)", "key_id": "\(key)", "requests": .stringConvertible(reports)])
            case .others(let reports):
                logger.notice(
                    "rules that only report would have refused requests with more keys than are told apart",
                    metadata: ["requests": .stringConvertible(reports)])
            case nil: break
            }
        }
    }
}
