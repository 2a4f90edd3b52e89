extension KeyView {
    /// Evaluates the key for a request. Returns the refusal, and the report-only rules that would have refused.
    @inline(__always)
    func evaluate(_ request: AccessRequest, at now: Timestamp) -> (refusal: Refusal?, reported: PolicyRules) {
        guard state == .active else { return (.inactive, []) }
        if isExpired(at: now) { return (.expired, []) }
        guard hasPolicy || !request.scopes.isEmpty else { return (nil, []) }
        return checkPolicy(request, at: now)
    }

    @inline(never)
    private func checkPolicy(_ request: AccessRequest, at now: Timestamp) -> (refusal: Refusal?, reported: PolicyRules)
    {
        let texts = texts
        let policy = PolicyView(texts.policy)
        let reportOnly = policy.reportOnly
        var refusal: Refusal?
        var reported: PolicyRules = []
        policy.check(request, scopes: texts.scopes, at: now) { rule, found in
            guard let found else { return true }
            if reportOnly.contains(rule) {
                reported.insert(PolicyRules(rule))
                return true
            }
            refusal = found
            return false
        }
        // A refused request needs no report.
        return (refusal, refusal == nil ? reported : [])
    }
}
