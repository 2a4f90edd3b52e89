/// The decision on a hypothetical request, and the rules that led to it, in evaluation order.
public struct Explanation: Sendable, Equatable {
    public struct Step: Sendable, Equatable {
        /// `state`, or the name of a rule.
        public let rule: String
        /// Nil if the rule passes.
        public let refusal: Refusal?
        /// True if the rule is report-only.
        public let reportsOnly: Bool
        /// The limit that the step is about, and what is left of it.
        public let limit: LimitStatus?

        init(rule: String, refusal: Refusal?, reportsOnly: Bool, limit: LimitStatus? = nil) {
            self.rule = rule
            self.refusal = refusal
            self.reportsOnly = reportsOnly
            self.limit = limit
        }
    }

    public let steps: [Step]
    /// The first refusal of an enforcing rule; nil if the request is admitted.
    public let refusal: Refusal?

    /// - Parameter limiter: decides about the key's limits, and spends nothing; nil to leave them out.
    package init(
        _ key: AuthKey, method: String, path: String, address: IPAddress?, scopes: ScopeRequirement,
        limiter: Limiter? = nil, at now: Timestamp
    ) {
        // The index itself decides, with this key as its only entry.
        let digest = SecretDigest(words: (0, 0, 0, 0))
        let entry = key.attributes.entry(of: digest, id: key.id, version: 1, deactivated: key.deactivatedAt != nil)
        let index = KeyIndex()
        index.apply(entry)
        let (method, path) = (Array(method.utf8), Array(path.utf8))
        let evaluated = index.withKey(for: digest) { view in
            method.withUnsafeBytes { method in
                path.withUnsafeBytes { path in
                    view.explain(
                        AccessRequest(method: method, path: path, address: address, scopes: scopes, spending: .peek),
                        limiter: limiter, at: now)
                }
            }
        }
        steps = evaluated?.steps ?? []
        refusal = evaluated.map(\.refusal) ?? .unknown
    }

    /// Explains the refusal of a request whose method or path is ambiguous, while rules for requests depend on it.
    package init(ambiguous refusal: Refusal) {
        self.init(
            steps: [Step(rule: PolicyRule.scopes.rawValue, refusal: refusal, reportsOnly: false)], refusal: refusal)
    }

    fileprivate init(steps: [Step], refusal: Refusal?) {
        self.steps = steps
        self.refusal = refusal
    }
}

extension KeyView {
    /// Explains the decision of `evaluate`: all rules it evaluates, and the rules that it skips after a refusal.
    fileprivate func explain(_ request: AccessRequest, limiter: Limiter?, at now: Timestamp) -> Explanation {
        let isActive = state == .active
        var steps = [Explanation.Step(rule: "state", refusal: isActive ? nil : .inactive, reportsOnly: false)]
        if expiresAt != nil {
            let refusal = isExpired(at: now) ? Refusal.expired : nil
            steps.append(.init(rule: PolicyRule.expiresAt.rawValue, refusal: refusal, reportsOnly: false))
        }
        let policy = PolicyView(texts.policy)
        policy.check(request, scopes: texts.scopes, at: now) { rule, refusal in
            steps.append(
                .init(rule: rule.rawValue, refusal: refusal, reportsOnly: policy.reportOnly.contains(rule)))
            return true
        }
        var refusal = evaluate(request, at: now).refusal
        if let limiter {
            let own = policy.limits
            let none: StaticString = "\0"
            let limits = own?.limits ?? UnsafeRawBufferPointer(start: none.utf8Start, count: 1)
            let missing = limiter.take(
                plan: own?.plan, limits: limits, hasCredits: policy.hasCredits, key: id, owner: texts.owner,
                for: request, reportOnly: policy.reportOnly
            ) { refusal, uses in
                steps += LimitStatus.all(uses).map(Explanation.Step.init)
                return refusal
            }
            refusal = refusal ?? missing
        }
        return Explanation(steps: steps, refusal: refusal)
    }
}

extension Explanation.Step {
    /// A step about a limit, or about the credits.
    fileprivate init(_ limit: LimitStatus) {
        let rule = limit.kind == .credits ? PolicyRule.credits.rawValue : "\(PolicyRule.limits.rawValue).\(limit.name)"
        self.init(rule: rule, refusal: limit.refusal, reportsOnly: limit.isReportOnly, limit: limit)
    }
}
