/// A key as verification describes it to a caller that asks about it, valid or not.
public struct KeyProfile: Sendable, Equatable {
    public let principal: Principal
    public let state: KeyEntry.State
    /// The time before which the key grants no access; nil for none.
    public let notBefore: Timestamp?
    /// The operator's JSON object, as text; empty for none.
    public let metadata: String
    /// The limits that applied to the request, after it.
    public let limits: [LimitStatus]
    /// The slots that the request holds, if it asked for some. They must be given back (`KeyVerifier.release`).
    public let slots: LimitTicket

    public init(
        principal: Principal, state: KeyEntry.State = .active, notBefore: Timestamp? = nil, metadata: String = "",
        limits: [LimitStatus] = [], slots: LimitTicket = LimitTicket()
    ) {
        self.principal = principal
        self.state = state
        self.notBefore = notBefore
        self.metadata = metadata
        self.limits = limits
        self.slots = slots
    }
}

extension KeyView {
    /// Returns a copy that may outlive the call.
    func profile(_ uses: LimitUses) -> KeyProfile {
        let texts = texts
        return KeyProfile(
            principal: principal, state: state, notBefore: PolicyView(texts.policy).notBefore,
            metadata: String(decoding: texts.metadata, as: UTF8.self), limits: LimitStatus.all(uses),
            slots: uses.ticket)
    }
}
