/// The result of verifying a token for a request. A caller that describes keys gets their profiles (`KeyProfile`);
/// others get `Void`.
public enum Verdict<Profile> {
    /// The key is valid for the request.
    case admitted(AdmittedKey, Profile)
    /// With the profile of the key, if the key is known.
    case refused(Refusal, Profile?)
    /// A token, in Keyward's format or that of a scheme, that the index lacks. Another instance may have created it a
    /// moment ago. Call `KeyVerifier.resolve`, then verify again after its answer.
    case unresolved(SecretDigest)
    /// Keys cannot be verified now: they were never loaded, or are older than the operator allows. The key is not at
    /// fault.
    case unavailable
}

extension Verdict: Sendable where Profile: Sendable {}
extension Verdict: Equatable where Profile: Equatable {}

extension Verdict<KeyProfile> {
    /// Returns the verdict for a caller that may see the keys of these owners. Any other key is unknown to it.
    package func limited(to owners: OwnerScope) -> Self {
        switch self {
        case .admitted(_, let profile), .refused(_, let profile?):
            owners.contains(profile.principal.owner) ? self : .refused(.unknown, nil)
        case .refused(_, nil), .unresolved, .unavailable: self
        }
    }
}

/// A key at the time at which it was admitted: the data for counting its use, and for evaluating it again.
public struct AdmittedKey: Sendable, Equatable {
    public let id: KeyID
    public let digest: SecretDigest
    public let verifiedAt: Timestamp
    public let expiresAt: Timestamp?
}
