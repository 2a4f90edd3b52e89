/// What became of a credential, as far as it can be said at once.
public enum Verdict: Sendable, Equatable {
    /// The key is good.
    case admitted(KeyID)
    case refused(Refusal)
    /// A token, of Keyward's own or of a scheme, that the index does not hold. It may have been made on another instance a moment ago: ask
    /// `KeyVerifier.resolve`, then verify again, or end it with `KeyVerifier.verdict(afterResolving:)`.
    case unresolved(SecretDigest)
    /// Keys cannot be verified now: they were never loaded, or are older than the operator allows. Never the key's fault.
    case unavailable
}

/// What became of a credential in the end.
public enum Decision: Sendable, Equatable {
    case admitted(KeyProfile)
    /// With the key, if there is one.
    case refused(Refusal, KeyProfile?)
    case unavailable
}
