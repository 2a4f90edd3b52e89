import Logging
import Synchronization

/// Logs, at most once a minute, that keys are refused because the limits of their plan or owner are missing or invalid.
final class PlanReports: Sendable {
    enum Missing {
        /// `name`: nil if the plan does not exist.
        case plan(PlanID, name: String?)
        case owner([UInt8])
    }

    private let logger: Logger
    private let next = Mutex(-Double.infinity)

    init(logger: Logger) {
        self.logger = logger
    }

    @inline(never)
    func report(_ missing: Missing, at now: Double) {
        let isDue = next.withLock { next in
            guard now >= next else { return false }
            next = now + 60
            return true
        }
        guard isDue else { return }
        switch missing {
        case .plan(let plan, let name):
            logger.error(
                "keys are refused because their plan does not exist or is invalid",
                metadata: ["plan": "\(name ?? String(plan.number, radix: 16))"])
        case .owner(let owner):
            logger.error(
                "keys are refused because the limits of their owner are invalid",
                metadata: ["owner": "\(String(decoding: owner, as: UTF8.self))"])
        }
    }
}
