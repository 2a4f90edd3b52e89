/// The state of a rate or a quota after a request, or without one. Times are in seconds.
struct LimitState {
    /// The units that the request took; nil if it took none.
    var taken: LimitCell.Taken?
    /// True if the cost fits, or fitted.
    var fits: Bool
    /// The units that are left. Below zero if the limit is overdrawn.
    var remaining: Double
    var reset: Double?
    /// Nil if the cost fits now or never, or if that time is unknown.
    var retryAfter: Double?
    /// True if the cost does not fit, but may fit after the next answer of the database.
    var awaitsAnswer = false

    /// Returns the whole units that are left: fewer than the cost that does not fit.
    func units(missing cost: Int64) -> Int64 {
        // Sums of units have rounding errors.
        let units = Int64((max(0, remaining) + 1e-6).rounded(.down))
        return fits ? units : min(units, cost - 1)
    }
}

extension Limiter {
    /// Takes units of one limit.
    /// - Parameters:
    ///   - version: the version of the key that has the limit; nil for a limit that keys share.
    ///   - mayWait: true if the caller can wait for an answer of the database.
    @inline(__always)
    func take(
        _ id: LimitID, terms: LimitTerms, version: UInt32? = nil, cost: Int64, mayWait: Bool = false, at now: Double,
        in circumstances: LimitCircumstances
    ) -> LimitState {
        let cost = Double(cost)
        let found = limits.withCell(
            id, at: now, in: circumstances,
            orCreate: LimitCell(
                id: id, terms: terms, version: version ?? 0, opening: cost, at: now, in: circumstances)
        ) { cell in
            cell.adapt(to: terms, in: circumstances)
            if let version { cell.accept(version: version) }
            let taken = cell.take(cost, in: circumstances)
            var found = state(of: cell, taken: taken, fits: taken != nil, cost: cost, at: now, in: circumstances)
            if taken == nil, mayWait { found.awaitsAnswer = cell.beginWait(for: cost, at: now, in: circumstances) }
            return found
        }
        if let found { return found }
        let served = takeFromOverflow(cost, of: id, terms: terms, at: now, in: circumstances)
        let fits = served.wait <= 0
        return LimitState(
            taken: nil, fits: fits, remaining: served.remaining,
            reset: max(0, terms.burst - served.remaining) / terms.rate,
            retryAfter: fits || cost > terms.burst ? nil : jittered(max(1, served.wait)))
    }

    /// Returns the state of one limit without taking units. An unknown limit is full.
    func peek(
        _ id: LimitID, terms: LimitTerms, cost: Int64, at now: Double, in circumstances: LimitCircumstances
    ) -> LimitState {
        let cost = Double(max(1, cost))
        let found = limits.withExistingCell(id) { cell in
            cell.refresh(at: now, in: circumstances)
            cell.adapt(to: terms, in: circumstances)
            let fits = cell.fits(cost, in: circumstances) || circumstances.away == .open
            return state(of: cell, taken: nil, fits: fits, cost: cost, at: now, in: circumstances)
        }
        return found
            ?? LimitState(fits: cost <= terms.burst, remaining: terms.burst, reset: terms.period == nil ? 0 : nil)
    }

    @inline(__always)
    private func state(
        of cell: LimitCell, taken: LimitCell.Taken?, fits: Bool, cost: Double, at now: Double,
        in circumstances: LimitCircumstances
    ) -> LimitState {
        let remaining = cell.remaining(at: now, in: circumstances)
        return LimitState(
            taken: taken, fits: fits, remaining: remaining, reset: cell.reset(at: now, remaining: remaining),
            retryAfter: fits
                ? nil : jittered(cell.retryAfter(cost, at: now, remaining: remaining, in: circumstances)))
    }

    /// Adds up to a tenth, at most 10 s, so that clients that were refused together do not return together.
    func jittered(_ seconds: Double?) -> Double? {
        // The low bits of the time in nanoseconds are as good as random.
        seconds.map { $0 + min($0 * 0.1, 10) * Double(UInt64(max(0, now) * 1e9) & 1_023) / 1_024 }
    }
}
