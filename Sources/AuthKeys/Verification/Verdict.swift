/// The immediate result of verifying a credential.
public enum Verdict: Sendable, Equatable {
    /// The key is valid for the request.
    case admitted(KeyID)
    case refused(Refusal)
    /// A token, in Keyward's format or that of a scheme, that the index lacks. Another instance may have created it a
    /// moment ago. Call `KeyVerifier.resolve`, then verify again, or end with `KeyVerifier.verdict(afterResolving:)`.
    case unresolved(SecretDigest)
    /// Keys cannot be verified now: they were never loaded, or are older than the operator allows. The key is not at
    /// fault.
    case unavailable
}

/// The final result of verifying a credential.
public enum Decision: Sendable, Equatable {
    case admitted(KeyProfile)
    /// With the key, if it is known.
    case refused(Refusal, KeyProfile?)
    case unavailable
}
