import Glibc

/// The row of a level: the units taken and not yet given back.
///
/// This is the model of the statement that settles limits. Tests compare the SQL with it. Moments are seconds of one
/// clock.
package struct LimitRow: Sendable, Equatable {
    /// Debited units, leased ones included. It exceeds the burst if instances overdrew the limit.
    package private(set) var level = 0.0
    /// The moment of the last question. It never goes back, although a statement reads the time before it waits for the
    /// row's lock: a row that went back in time would refill twice.
    package private(set) var at: Double
    /// The leaking sum of what all instances asked for.
    package private(set) var wanted = 0.0

    /// Creates the row of a full limit.
    package init(at: Double) {
        self.at = at
    }

    /// Debits what an instance took, and leases units to it.
    /// - Parameters:
    ///   - period: the calendar period at `now`; nil for a rate.
    ///   - now: the moment at which the statement read the time.
    package mutating func settle(_ question: LimitQuestion, in period: Range<Double>? = nil, at now: Double)
        -> LimitAnswer
    {
        let elapsed = max(0, now - at)
        wanted = wanted * exp(-elapsed / question.tau) + question.asked
        let aged =
            switch period {
            case nil: max(0, level - question.rate * elapsed)
            case .some(let period): at < period.lowerBound ? 0 : level
            }
        let debited = question.debit + aged
        let share = min(1, question.demand / max(wanted, 1e-9))
        let granted = Self.grant(question.want, of: question.burst - debited, share: share, level: debited)
        level = debited + granted
        at = max(at, now)
        return LimitAnswer(
            id: question.id, granted: granted, available: question.burst - level, share: share,
            periodEnds: period.map { $0.upperBound - now })
    }

    /// Gives all units back, as a reset by an admin does. The demand stays.
    package mutating func reset() { level = 0 }

    /// Returns the units to lease: at most the share of what is left, but at least one.
    private static func grant(_ want: Double, of available: Double, share: Double, level: Double) -> Double {
        if want < 0 { return max(want, -level) }
        return available < 1 ? 0 : min(want, max(1, (available * share).rounded(.down)))
    }

    /// The moment from which the row says no more than a missing row.
    package func fullAt(rate: Double, in period: Range<Double>? = nil) -> Double {
        period.map(\.upperBound) ?? at + level / rate
    }
}
