import AuthKeys
public import Logging
import Metrics

/// Seals the trail as it grows. All instances try; one succeeds at a time.
public struct AuditSealer: Sendable {
    private let trail: any AuditTrail
    private let logger: Logger

    private let sealed = Counter(label: "keyward_audit_sealed_total")
    private let failures = Counter(label: "keyward_audit_seal_failures_total")

    public init(trail: any AuditTrail, logger: Logger) {
        self.trail = trail
        self.logger = logger
    }

    /// Runs until the task is cancelled.
    public func run() async {
        var isFailing = false
        while !Task.isCancelled {
            do throws(StoreError) {
                let count = try await trail.seal()
                sealed.increment(by: count)
                if isFailing { logger.notice("the audit trail is sealed again") }
                isFailing = false
                if count >= SealingState.batch { continue }
            } catch {
                // A statement that shutdown cancels is not a database failure.
                if Task.isCancelled { return }
                failures.increment()
                if !isFailing { logger.warning("the audit trail cannot be sealed", metadata: ["error": "\(error)"]) }
                isFailing = true
            }
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
        }
    }
}
