/// Decides whether a token opens the door: the one place where that is decided, for every way in.
///
/// `verify` takes no lock that is held for long, does no input or output and allocates nothing of its own.
public final class KeyVerifier: Sendable {
    public let index: KeyIndex
    private let freshness: IndexFreshness
    private let lookup: UnknownKeyLookup
    private let metrics = VerificationMetrics()

    public init(index: KeyIndex, freshness: IndexFreshness, lookup: UnknownKeyLookup) {
        self.index = index
        self.freshness = freshness
        self.lookup = lookup
    }

    /// Verifies a token; `admit` is called with the key if it is good, while the index waits: it must be short, and keep
    /// nothing of the view.
    @inline(__always)
    public func verify<Admission: Sendable>(
        _ token: UnsafeRawBufferPointer, at now: Timestamp, admit: (KeyView) -> Admission
    ) -> Verdict<Admission> {
        guard freshness.isServing else {
            return unavailable()
        }
        guard TokenFormat.isWellFormed(token) else { return refuse(.malformed) }
        let digest = SecretDigest(hashing: token)
        let verdict: Verdict<Admission>? = index.withKey(for: digest) { key in
            guard key.state == .active else { return .refused(.inactive) }
            guard !key.isExpired(at: now) else { return .refused(.expired) }
            return .admitted(admit(key))
        }
        guard let verdict else { return .unresolved(digest) }
        if case .refused(let refusal) = verdict { return refuse(refusal) }
        metrics.admitted()
        return verdict
    }

    /// Notes a refusal that was decided outside (a missing credential, a token that stayed unknown), so that all are counted.
    @inline(__always)
    public func refuse<Admission: Sendable>(_ refusal: Refusal) -> Verdict<Admission> {
        metrics.refused(refusal)
        return .refused(refusal)
    }

    /// Looks a digest up once more, in the database, bounded and shared with whoever asks for the same.
    public func resolve(_ digest: SecretDigest) async -> UnknownKeyLookup.Answer {
        let answer = await lookup.resolve(digest)
        return answer == .absent && freshness.standing != .ready ? .unavailable : answer
    }

    /// Ends the verification of a token that stayed unresolved.
    public func verdict<Admission: Sendable>(afterResolving answer: UnknownKeyLookup.Answer) -> Verdict<Admission> {
        answer == .unavailable ? unavailable() : refuse(.unknown)
    }

    /// Verifies a token to the end: looks it up if need be. Never `unresolved`.
    public func verify(_ token: String, time: TimeSource = .system) async -> Verdict<Principal> {
        let bytes = Array(token.utf8)
        func attempt() -> Verdict<Principal> {
            bytes.withUnsafeBytes { verify($0, at: time.now()) { $0.principal } }
        }
        let first = attempt()
        guard case .unresolved(let digest) = first else { return first }
        let answer = await resolve(digest)
        guard answer == .found else { return verdict(afterResolving: answer) }
        let second = attempt()
        guard case .unresolved = second else { return second }
        return verdict(afterResolving: .absent)
    }

    private func unavailable<Admission: Sendable>() -> Verdict<Admission> {
        metrics.unavailable()
        return .unavailable
    }
}
