/// The numbers of a rate or a quota, and the constants that follow from them. All times are in seconds.
struct LimitTerms: Sendable, Equatable {
    /// Units per second. For a quota: the limit divided by the nominal length of its period.
    let rate: Double
    /// The maximum number of units at once; the limit of a quota.
    let burst: Double
    /// Nil for a rate.
    let period: CalendarPeriod?

    /// Returns nil for a concurrency limit.
    @inline(__always)
    init?(_ definition: LimitDefinition) {
        switch definition.kindCode {
        case 0:
            period = nil
            rate = Double(definition.limit) * 1e6 / Double(definition.period)
        case 1:
            guard let period = definition.calendarPeriod else { return nil }
            self.period = period
            rate = Double(definition.limit) / period.nominalSeconds
        default: return nil
        }
        burst = Double(definition.burst)
    }

    /// The units that return each second: none of a quota, whose units return together.
    @inline(__always)
    var refill: Double { period == nil ? rate : 0 }

    /// The time in which a full burst returns; the period of a quota.
    var window: Double { burst / rate }

    /// The time after which an instance gives back unused units and reports overdrawn ones.
    var hold: Double { (window / 10).clamped(1, 5) }

    /// The time for which a lease lasts at the present demand.
    var horizon: Double { (window / 40).clamped(0.25, 2) }

    /// The time constant with which demand leaks.
    var tau: Double { (window / 2).clamped(0.5, 5) }

    /// The minimum time between two questions.
    static let gap = 0.02

    /// The minimum time between two questions after one that was not satisfied: until one unit has returned to the
    /// share of the instance.
    func poorGap(share: Double) -> Double {
        (1 / max(rate * share, 1e-9)).clamped((window / 10).clamped(0.1, 1), hold)
    }
}

extension CalendarPeriod {
    /// The length of the period in seconds. A month counts as 30 days.
    var nominalSeconds: Double {
        switch self {
        case .hour: 3_600
        case .day: 86_400
        case .week: 604_800
        case .month: 2_592_000
        }
    }
}

extension Double {
    /// Returns the nearest value within the bounds.
    func clamped(_ lowest: Double, _ highest: Double) -> Double { Swift.min(Swift.max(self, lowest), highest) }
}
