/// What verification tells of a key that somebody asks about, whether it is good or not.
public struct KeyProfile: Sendable, Equatable {
    public let principal: Principal
    public let state: KeyEntry.State
    /// Before it the key opens nothing; nil for no such moment.
    public let notBefore: Timestamp?
    /// The operator's JSON object, as text; empty for none.
    public let metadata: String

    public init(
        principal: Principal, state: KeyEntry.State = .active, notBefore: Timestamp? = nil, metadata: String = ""
    ) {
        self.principal = principal
        self.state = state
        self.notBefore = notBefore
        self.metadata = metadata
    }
}

extension KeyView {
    /// A copy to keep.
    var profile: KeyProfile {
        let texts = texts
        return KeyProfile(
            principal: principal, state: state, notBefore: PolicyView(texts.policy).notBefore,
            metadata: String(decoding: texts.metadata, as: UTF8.self))
    }
}
