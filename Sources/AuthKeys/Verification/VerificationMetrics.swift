import Metrics

/// `keyward_verifications_total` by outcome.
struct VerificationMetrics: Sendable {
    private let valid = Self.counter("valid")
    private let notAvailable = Self.counter("unavailable")
    private let missing = Self.counter(Refusal.missing.code)
    private let malformed = Self.counter(Refusal.malformed.code)
    private let unknown = Self.counter(Refusal.unknown.code)
    private let expired = Self.counter(Refusal.expired.code)
    private let inactive = Self.counter(Refusal.inactive.code)

    func admitted() {
        valid.increment()
    }

    func unavailable() {
        notAvailable.increment()
    }

    func refused(_ refusal: Refusal) {
        switch refusal {
        case .missing: missing.increment()
        case .malformed: malformed.increment()
        case .unknown: unknown.increment()
        case .expired: expired.increment()
        case .inactive: inactive.increment()
        }
    }

    private static func counter(_ outcome: String) -> Counter {
        Counter(label: "keyward_verifications_total", dimensions: [("outcome", outcome)])
    }
}
