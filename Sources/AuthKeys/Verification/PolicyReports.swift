import Logging
import Synchronization

/// Reports requests that report-only rules would have refused: all are counted, and logged at the pace of `ReportPace`.
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
                    "a report-only rule would have refused requests",
                    metadata: ["rule": "\(rule.rawValue)", "key_id": "\(key)", "requests": .stringConvertible(reports)])
            case .others(let reports):
                logger.notice(
                    "report-only rules would have refused requests of more keys than can be listed",
                    metadata: ["requests": .stringConvertible(reports)])
            case nil: break
            }
        }
    }
}
