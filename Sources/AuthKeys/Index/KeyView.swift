/// A key that the index lends for the duration of a call. Nothing of it may outlive the call; copy its `principal`
/// instead.
public struct KeyView {
    private let slot: KeySlot
    /// Read lazily: most verifications do not need it, and it is in another cache line.
    private let details: UnsafeRawPointer?
    /// Never `deleted`.
    public let state: KeyEntry.State

    @inline(__always)
    init(slot: KeySlot, state: KeyEntry.State, details: UnsafeRawPointer?) {
        self.slot = slot
        self.state = state
        self.details = details
    }

    public var id: KeyID { KeyID(high: slot.id.0, low: slot.id.1) }
    public var digest: SecretDigest { SecretDigest(words: slot.digest) }
    public var version: UInt32 { slot.version }
    /// In milliseconds, rounded down; the beginning of the epoch for a revoked secret.
    public var expiresAt: Timestamp? { slot.expiresAt }
    /// The texts of the key, its policy and its metadata.
    public var texts: KeyTexts { KeyTexts(at: details) }

    /// Returns true if the key has expired.
    @inline(__always)
    public func isExpired(at now: Timestamp) -> Bool {
        slot.expiresAt.map { $0 <= now } ?? false
    }

    /// Evaluates the key for a request. Returns the refusal, and the report-only rules that would have refused.
    @inline(__always)
    func evaluate(_ request: AccessRequest, at now: Timestamp) -> (refusal: Refusal?, reported: PolicyRules) {
        guard state == .active else { return (.inactive, []) }
        if isExpired(at: now) { return (.expired, []) }
        guard slot.hasPolicy || !request.scopes.isEmpty else { return (nil, []) }
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

    /// A copy that may outlive the call.
    public var principal: Principal {
        let texts = texts
        return Principal(
            keyID: id,
            name: String(decoding: texts.name, as: UTF8.self),
            owner: texts.owner.isEmpty ? nil : String(decoding: texts.owner, as: UTF8.self),
            scopes: String(decoding: texts.scopes, as: UTF8.self).split(separator: " ").map(String.init),
            expiresAt: expiresAt.flatMap { $0.microseconds == 0 ? nil : $0 })
    }
}
