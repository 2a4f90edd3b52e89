/// The level of a limit as one instance knows it, for explanations and the API.
public struct LimitLevel: Sendable, Equatable {
    /// The place where a limit is defined.
    public enum Source: Sendable, Equatable {
        case key, plan
        /// The key's owner, or one above it.
        case owner(String)
    }

    /// Empty for the credits.
    public let name: String
    public let source: Source
    public let kind: LimitUse.Kind
    /// The units of a period, or under way. For credits, the same as `remaining`.
    public let limit: Int64
    /// The length of the period; nil for a concurrency limit and for credits.
    public let window: Duration?
    /// The units that are left. Nil for credits that the instance has not used yet.
    public let remaining: Int64?
    /// The time until all units are back; nil if it is unknown.
    public let reset: Duration?
    /// The time until one unit fits; nil if it fits now or never, or if that time is unknown.
    public let retryAfter: Duration?
    public let isAsked: Bool
    public let isReportOnly: Bool
    /// The refusal that the limit calls for; nil if it has room for the request.
    public let refusal: Refusal?
}

/// The levels of all limits of a key.
public enum LimitLevels: Sendable, Equatable {
    case levels([LimitLevel])
    /// The plan of the key does not exist or is invalid, so that all requests are refused.
    case missingPlan
}

extension Limiter {
    /// Returns the levels of a key's limits, without taking units.
    /// - Parameters:
    ///   - owner: the owner of the key; empty for none.
    ///   - request: leaves out limits that do not apply to this request; nil for all limits.
    package func levels(
        plan: PlanID?, limits: UnsafeRawBufferPointer, hasCredits: Bool, key: KeyID, owner: UnsafeRawBufferPointer,
        for request: AccessRequest? = nil, reportOnly: PolicyRules = []
    ) -> LimitLevels {
        withLimits(of: key, plan: plan, own: limits, owner: owner) { applicable, missing in
            if missing != nil { return .missingPlan }
            let (now, circumstances) = (now, circumstances)
            let path = request.flatMap { PathPattern.unambiguous($0.path) }
            var levels: [LimitLevel] = []
            applicable.visit { limit, id, source in
                var cost: Int64 = 1
                if let request {
                    let stated = request.spending.isNone ? (limit.isAsked ? nil : 1) : request.spending.cost(of: limit)
                    guard let own = stated, limit.matches(method: request.method, path: path)
                    else { return }
                    cost = max(1, own)
                }
                levels.append(
                    level(
                        of: limit, id: id, source: source, cost: cost,
                        isReportOnly: limit.isReportOnly || reportOnly.contains(.limits), at: now, in: circumstances))
            }
            if hasCredits {
                let cost = max(1, request?.spending.cost ?? 1)
                levels.append(
                    creditLevel(
                        of: key, cost: cost, isReportOnly: reportOnly.contains(.credits), at: now, in: circumstances))
            }
            return .levels(levels)
        }
    }

    private func level(
        of limit: LimitView, id: LimitID, source: ApplicableLimits.Source, cost: Int64, isReportOnly: Bool,
        at now: Double, in circumstances: LimitCircumstances
    ) -> LimitLevel {
        let definition = limit.definition
        var level: (kind: LimitUse.Kind, remaining: Int64, reset: Double?, retryAfter: Double?, window: Double?)
        var refusal: Refusal?
        if let terms = LimitTerms(definition) {
            let state = peek(id, terms: terms, cost: cost, at: now, in: circumstances)
            let isQuota = terms.period != nil
            level = (
                isQuota ? .quota : .rate, state.units(missing: cost), state.reset, state.retryAfter,
                terms.period?.nominalSeconds ?? Double(definition.period) / 1e6
            )
            if !state.fits { refusal = isQuota ? .quotaExceeded : .rateLimited }
        } else {
            let free = peekSlots(of: id, limit: definition.limit, in: circumstances)
            level = (.concurrent, free, nil, nil, nil)
            if free < 1 { refusal = .concurrencyExceeded }
        }
        return LimitLevel(
            name: String(decoding: limit.name, as: UTF8.self), source: LimitLevel.Source(source), kind: level.kind,
            limit: definition.limit, window: level.window.map { .seconds($0) }, remaining: level.remaining,
            reset: level.reset.map { .seconds($0) }, retryAfter: level.retryAfter.map { .seconds($0) },
            isAsked: limit.isAsked, isReportOnly: isReportOnly, refusal: refusal)
    }

    private func creditLevel(
        of key: KeyID, cost: Int64, isReportOnly: Bool, at now: Double, in circumstances: LimitCircumstances
    ) -> LimitLevel {
        let state = peekCredits(of: key, cost: cost, at: now, in: circumstances)
        return LimitLevel(
            name: "", source: .key, kind: .credits, limit: state.left ?? 0, window: nil, remaining: state.left,
            reset: state.reset.map { .seconds($0) }, retryAfter: state.retryAfter.map { .seconds($0) }, isAsked: false,
            isReportOnly: isReportOnly, refusal: state.fits ? nil : .creditsExhausted)
    }

    /// Returns the levels of a key's limits, without taking units.
    public func levels(of policy: KeyPolicy, key: KeyID, owner: String?) -> LimitLevels {
        var owner = owner ?? ""
        return owner.withUTF8 { owner in
            policy.bytes.withUnsafeBytes { bytes in
                let view = PolicyView(bytes)
                let limits = view.limits
                return levels(
                    plan: limits?.plan, limits: limits?.limits ?? UnsafeRawBufferPointer(start: nil, count: 0),
                    hasCredits: view.hasCredits, key: key, owner: UnsafeRawBufferPointer(owner),
                    reportOnly: view.reportOnly)
            }
        }
    }
}

extension LimitLevel.Source {
    init(_ source: ApplicableLimits.Source) {
        switch source {
        case .key: self = .key
        case .plan: self = .plan
        case .owner(let owner): self = .owner(String(decoding: owner, as: UTF8.self))
        }
    }
}
