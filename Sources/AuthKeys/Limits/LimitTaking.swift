import Metrics

/// The decision about one request: takes from one limit after the other, and gives all back if one refuses.
struct LimitTaking {
    private let limiter: Limiter
    private let request: AccessRequest
    private let key: KeyID
    private let version: UInt32
    private let reportOnly: PolicyRules
    /// True if the caller can wait for an answer of the database.
    private let mayWait: Bool
    private let records: UnsafeMutableBufferPointer<LimitRecord>
    private let now: Double
    private let circumstances: LimitCircumstances
    private var count = 0
    private var ticket = LimitTicket()
    /// The unambiguous path, once a limit needs it.
    private var path: UnsafeRawBufferPointer??
    /// The refusal of the first enforced limit without room.
    private(set) var refusal: Refusal?

    /// - Parameter records: memory for a record of each limit.
    init(
        _ limiter: Limiter, _ request: AccessRequest, key: KeyID, version: UInt32,
        records: UnsafeMutableBufferPointer<LimitRecord>, reportOnly: PolicyRules, mayWait: Bool
    ) {
        self.limiter = limiter
        self.request = request
        self.key = key
        self.version = version
        self.records = records
        self.reportOnly = reportOnly
        self.mayWait = mayWait
        now = limiter.now
        circumstances = limiter.circumstances
    }

    var uses: LimitUses {
        LimitUses(UnsafeBufferPointer(rebasing: records[..<count]), ticket: ticket, at: now, version: version)
    }

    // MARK: - Rates and quotas

    @inline(__always)
    mutating func take(_ limits: ApplicableLimits) {
        limits.visit { limit, id, isShared in
            let definition = limit.definition
            guard let terms = LimitTerms(definition), let cost = cost(of: limit) else { return }
            add(take(limit, definition, terms, id: id, isShared: isShared, cost: cost))
        }
    }

    /// Returns the units that the request takes from a limit; nil if the limit does not apply to it.
    @inline(__always)
    private mutating func cost(of limit: LimitView) -> Int64? {
        if request.concernsKey { return 0 }
        guard let cost = request.spending.cost(of: limit) else { return nil }
        guard limit.hasPatterns else { return cost }
        if path == nil { path = .some(request.path.isEmpty ? nil : PathPattern.unambiguous(request.path)) }
        return limit.matches(method: request.method, path: path ?? nil) ? cost : nil
    }

    private mutating func add(_ record: LimitRecord) {
        records.initializeElement(at: count, to: record)
        count += 1
        if !record.use.isReportOnly { refusal = refusal ?? record.use.refusal }
    }

    @inline(__always)
    private func take(
        _ limit: LimitView, _ definition: LimitDefinition, _ terms: LimitTerms, id: LimitID, isShared: Bool, cost: Int64
    ) -> LimitRecord {
        let peeks = cost == 0 || refusal != nil
        // Only a key's own level can be reset.
        let version = isShared ? nil : version
        let state =
            peeks
            ? limiter.peek(id, terms: terms, cost: cost, at: now, in: circumstances)
            : limiter.take(
                id, terms: terms, version: version, cost: cost, mayWait: mayWait, at: now, in: circumstances)
        let isQuota = terms.period != nil
        let use = LimitUse(
            name: limit.name, limit: definition.limit,
            window: terms.period?.nominalSeconds ?? Double(definition.period) / 1e6,
            remaining: state.units(missing: max(1, cost)), reset: state.reset, retryAfter: state.retryAfter,
            refusal: state.fits ? nil : isQuota ? .quotaExceeded : .rateLimited,
            isReportOnly: limit.isReportOnly || reportOnly.contains(.limits), kind: isQuota ? .quota : .rate)
        return LimitRecord(
            use: use, id: id, cost: cost, taken: state.taken ?? LimitCell.Taken(), terms: terms,
            hasTaken: state.taken != nil, awaitsAnswer: state.awaitsAnswer)
    }

    // MARK: - Credits

    mutating func takeCredits() {
        let cost = request.spending.credits
        let peeks = cost == 0 || refusal != nil
        let state =
            peeks
            ? limiter.peekCredits(of: key, cost: max(1, cost), at: now, in: circumstances)
            : limiter.takeCredits(
                cost, of: key, version: version, mayWait: mayWait, at: now, in: circumstances)
        let use = LimitUse(
            name: UnsafeRawBufferPointer(start: nil, count: 0), limit: state.left ?? -1, window: nil,
            remaining: state.left ?? -1, reset: state.reset, retryAfter: limiter.jittered(state.retryAfter),
            refusal: state.fits ? nil : .creditsExhausted, isReportOnly: reportOnly.contains(.credits), kind: .credits)
        add(
            LimitRecord(
                use: use, id: LimitID(key), cost: cost, taken: LimitCell.Taken(), terms: nil,
                hasTaken: state.fits && !peeks, awaitsAnswer: state.awaitsAnswer))
    }

    // MARK: - Concurrency

    mutating func takeSlots(_ limits: ApplicableLimits) {
        limits.visit { limit, id, _ in
            let definition = limit.definition
            guard definition.isConcurrency, let cost = cost(of: limit) else { return }
            // A request without a cost is under way too.
            let peeks = refusal != nil || !request.spending.holdsSlots
            let free: Int64
            let fits: Bool
            var awaitsAnswer = false
            if peeks {
                free = limiter.peekSlots(of: id, limit: definition.limit, in: circumstances)
                fits = free > 0
            } else {
                (free, fits, awaitsAnswer) = limiter.takeSlot(
                    of: id, limit: definition.limit, mayWait: mayWait, at: now, in: circumstances)
            }
            let use = LimitUse(
                name: limit.name, limit: definition.limit, window: nil as Double?, remaining: free,
                reset: nil, retryAfter: nil, refusal: fits ? nil : .concurrencyExceeded,
                isReportOnly: limit.isReportOnly || reportOnly.contains(.limits), kind: .concurrent)
            add(
                LimitRecord(
                    use: use, id: id, cost: cost, taken: LimitCell.Taken(), terms: nil, hasTaken: fits && !peeks,
                    awaitsAnswer: awaitsAnswer))
            if fits, !peeks { ticket.add(id) }
        }
    }

    // MARK: - The outcome

    /// Gives everything back if the request is refused, and counts the decision.
    mutating func finish() {
        if request.concernsKey { return }
        if refusal != nil {
            // A request that waits for an answer is decided a second time.
            if !uses.awaitsAnswer, !request.spending.isPeek { limiter.metrics.limited.increment() }
            giveBack()
            return
        }
        // An explanation is not a request.
        if request.spending.isPeek { return }
        var reports = false
        for record in records[..<count] {
            if record.use.refusal != nil { reports = true }
            if record.use.kind == .credits, record.hasTaken, !request.spending.isSettled {
                limiter.metrics.creditsSpent.increment(by: record.cost)
            }
        }
        (reports ? limiter.metrics.reported : limiter.metrics.allowed).increment()
    }

    @inline(never)
    private mutating func giveBack() {
        for index in 0..<count where records[index].hasTaken {
            let record = records[index]
            records[index].hasTaken = false
            switch record.use.kind {
            case .rate, .quota:
                _ = limiter.limits.withExistingCell(record.id) {
                    $0.giveBack(record.taken, cost: Double(record.cost))
                }
            case .credits: _ = limiter.credits.withExistingCell(record.id) { $0.giveBack(record.cost) }
            case .concurrent: break
            }
            if record.use.kind == .concurrent || record.use.remaining < 0 { continue }
            records[index].use = record.use.with(remaining: record.use.remaining + record.cost)
        }
        limiter.release(&ticket)
    }
}
