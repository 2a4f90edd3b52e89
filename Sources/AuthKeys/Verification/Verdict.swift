/// What became of a credential.
public enum Verdict<Admission: Sendable>: Sendable {
    /// The key is good; this is what the caller made of it.
    case admitted(Admission)
    case refused(Refusal)
    /// A well-formed token that the index does not hold. It may have been made on another instance a moment ago: ask
    /// `KeyVerifier.resolve`, then verify again. Without that, it is `Refusal.unknown`.
    case unresolved(SecretDigest)
    /// Keys cannot be verified now: they were never loaded, or are older than the operator allows. Never the key's fault.
    case unavailable
}

extension Verdict: Equatable where Admission: Equatable {}
