import Metrics

extension Limiter {
    /// Settles the cost of a request that was admitted: takes the units that it cost beyond what it took, even if a
    /// limit then is overdrawn, or gives back those that it did not need. Concurrency limits are not concerned.
    ///
    /// The cost may be settled several times, until `conclude`. A definition that changed since the admission applies
    /// with its present numbers.
    public func settle(_ reservation: inout LimitReservation, cost: Int64) {
        let cost = min(max(0, cost), LimitReservation.costLimit)
        let (now, circumstances) = (now, circumstances)
        for index in reservation.entries.indices {
            let entry = reservation.entries[index]
            let more = cost - entry.cost
            if more == 0 { continue }
            let moved =
                entry.terms.map {
                    more > 0
                        ? charge(
                            entry, Double(more), terms: $0, version: reservation.version, at: now, in: circumstances)
                        : -refund(entry, Double(-more), since: reservation.at, at: now, in: circumstances)
                } ?? settleCredits(of: entry, more, version: reservation.version, at: now, in: circumstances)
            reservation.entries[index].cost = cost
            reservation.entries[index].taken = max(0, entry.taken + moved)
        }
    }

    /// Ends a reservation: what it holds stays taken. Counts the credits that the request spent.
    public func conclude(_ reservation: inout LimitReservation) {
        for entry in reservation.entries where entry.terms == nil && entry.taken > 0 {
            metrics.creditsSpent.increment(by: Int64(entry.taken))
        }
        reservation.clear()
    }

    /// Returns the units that were taken.
    private func charge(
        _ entry: LimitReservation.Entry, _ units: Double, terms: LimitTerms, version: UInt32, at now: Double,
        in circumstances: LimitCircumstances
    ) -> Double {
        limits.withCell(
            entry.id, at: now, in: circumstances,
            orCreate: LimitCell(id: entry.id, terms: terms, version: version, at: now, in: circumstances)
        ) { $0.charge(units, in: circumstances) } ?? 0
    }

    /// Returns the units that count as given back. A limit that is not in memory is full, so that none return to it.
    private func refund(
        _ entry: LimitReservation.Entry, _ units: Double, since moment: Double, at now: Double,
        in circumstances: LimitCircumstances
    ) -> Double {
        let units = min(units, entry.taken)
        _ = limits.withExistingCell(entry.id) { cell in
            cell.refresh(at: now, in: circumstances)
            cell.refund(units, takenAt: moment, at: now, in: circumstances)
        }
        return units
    }

    /// Returns the credits that were taken; negative for those that were given back.
    private func settleCredits(
        of entry: LimitReservation.Entry, _ more: Int64, version: UInt32, at now: Double,
        in circumstances: LimitCircumstances
    ) -> Double {
        let key = KeyID(high: entry.id.high, low: entry.id.low)
        let units = max(more, -Int64(entry.taken))
        // A cell that was forgotten has reported all that it spent.
        let found = credits.withCell(
            entry.id, at: now, in: circumstances, orCreate: CreditCell(key: key, version: version, at: now)
        ) { cell in
            if units > 0 { cell.charge(units) } else { cell.refund(-units) }
            return Double(units)
        }
        return found ?? 0
    }
}
