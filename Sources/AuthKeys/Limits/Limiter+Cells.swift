import Metrics

/// The state of the credits of a key after a request, or without one. Times are in seconds.
struct CreditState {
    /// True if the cost fits, or fitted.
    var fits: Bool
    /// The credits that are left; nil if unknown.
    var left: Int64?
    /// The time until the refill; nil without one.
    var reset: Double?
    /// Nil if the cost fits, or if only an admin can make it fit.
    var retryAfter: Double?
    /// True if the cost does not fit, but the key may have credits that this instance has not leased yet.
    var awaitsAnswer = false

    init(fits: Bool) {
        self.fits = fits
    }

    init(_ cell: CreditCell, fits: Bool, cost: Int64, at now: Double) {
        self.fits = fits
        left = cell.left
        reset = cell.refillsIn(at: now)
        retryAfter = fits ? nil : cell.retryAfter(cost, at: now)
    }
}

extension Limiter {
    func takeCredits(
        _ cost: Int64, of key: KeyID, version: UInt32, mayWait: Bool, at now: Double,
        in circumstances: LimitCircumstances
    ) -> CreditState {
        func take(isTrusted: Bool) -> CreditState? {
            credits.withCell(
                LimitID(key), at: now, in: circumstances,
                orCreate: CreditCell(key: key, version: version, isTrusted: isTrusted, at: now)
            ) { cell in
                cell.accept(version: version)
                let fits = cell.take(cost, trusting: options.firstUse, in: circumstances)
                var state = CreditState(cell, fits: fits, cost: cost, at: now)
                if !fits, mayWait { state.awaitsAnswer = cell.beginWait(for: cost) }
                return state
            }
        }
        if let state = take(isTrusted: true) { return state }
        // The key may be one whose credits are spent, and whose reminder made room before. So it is not trusted.
        credits.makeRoom(for: LimitID(key)) { $0.isSpentReminder }
        if let state = take(isTrusted: false) { return state }
        // A key that the table has no room for cannot spend: nothing would be debited.
        metrics.overflowed.increment()
        return CreditState(fits: false)
    }

    /// Returns the state of the credits of a key without taking any. Unknown credits suffice.
    func peekCredits(
        of key: KeyID, cost: Int64, at now: Double, in circumstances: LimitCircumstances
    ) -> CreditState {
        let found = credits.withExistingCell(LimitID(key)) { cell in
            cell.refresh(at: now, in: circumstances)
            let fits = cell.fits(cost, trusting: options.firstUse, in: circumstances)
            return CreditState(cell, fits: fits, cost: cost, at: now)
        }
        return found ?? CreditState(fits: true)
    }

    /// Takes a slot of a concurrency limit. Returns the slots that are left.
    func takeSlot(
        of id: LimitID, limit: Int64, mayWait: Bool, at now: Double, in circumstances: LimitCircumstances
    ) -> (free: Int64, fits: Bool, awaitsAnswer: Bool) {
        let found = slots.withCell(id, at: now, in: circumstances, orCreate: SlotCell(id: id, limit: limit)) { cell in
            cell.adapt(to: limit)
            let fits = cell.take(in: circumstances)
            let waits = !fits && mayWait && cell.beginWait(at: now, in: circumstances)
            return (free: cell.free(in: circumstances), fits: fits, awaitsAnswer: waits)
        }
        if found == nil { metrics.overflowed.increment() }
        return found ?? (0, false, false)
    }

    /// Returns the free slots of a concurrency limit.
    func peekSlots(of id: LimitID, limit: Int64, in circumstances: LimitCircumstances) -> Int64 {
        let found = slots.withExistingCell(id) { cell in
            cell.adapt(to: limit)
            return cell.free(in: circumstances)
        }
        return found ?? SlotCell(id: id, limit: limit).free(in: circumstances)
    }
}
