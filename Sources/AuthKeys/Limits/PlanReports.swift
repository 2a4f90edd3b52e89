import Logging
import Synchronization

/// Logs, at most once a minute, that keys are refused because their plan does not exist or is invalid.
final class PlanReports: Sendable {
    struct Missing {
        let plan: PlanID
        /// Nil if the plan does not exist.
        let name: String?
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
        logger.error(
            "keys are refused because their plan does not exist or is invalid",
            metadata: ["plan": "\(missing.name ?? String(missing.plan.number, radix: 16))"])
    }
}
