public import Logging

/// Decides whether a token opens the door: the one place where that is decided, for every way in.
///
/// `verify` takes no lock that is held for long, does no input or output and allocates nothing of its own, unless a rule that
/// only reports has something to say.
public final class KeyVerifier: Sendable {
    public let index: KeyIndex
    private let freshness: IndexFreshness
    private let lookup: UnknownKeyLookup
    private let metrics = VerificationMetrics()
    private let reports: PolicyReports
    private let usage: UsageRecorder?

    /// - Parameter usage: who is told of the keys that `verify(_:method:…)` admits; whoever calls the other `verify` counts.
    public init(
        index: KeyIndex, freshness: IndexFreshness, lookup: UnknownKeyLookup, usage: UsageRecorder? = nil,
        time: TimeSource = .system, logger: Logger = Logger(label: "keyward.policy")
    ) {
        self.usage = usage
        reports = PolicyReports(metrics: metrics, logger: logger, time: time)
        self.index = index
        self.freshness = freshness
        self.lookup = lookup
    }

    /// Verifies a token for a request; `admit` is called with the key if it is good, while the index waits: it must be short, and keep
    /// nothing of the view.
    public func verify(
        _ token: UnsafeRawBufferPointer, for request: AccessRequest = .unknown, at now: Timestamp,
        admit: (KeyView) -> Void = { _ in }
    ) -> Verdict {
        guard freshness.isServing else {
            metrics.unavailable()
            return .unavailable
        }
        let own = TokenFormat.isWellFormed(token) ? SecretDigest(hashing: token) : nil
        if let own, let verdict = judge(own, for: request, at: now, admit: admit) { return verdict }
        return verifyForeign(token, own: own, for: request, at: now, admit: admit)
    }

    /// What becomes of the key behind a digest; nil if the index holds none.
    @inline(__always)
    private func judge(
        _ digest: SecretDigest, for request: AccessRequest, at now: Timestamp, admit: (KeyView) -> Void
    ) -> Verdict? {
        var reported: PolicyRules = []
        let verdict: Verdict? = index.withKey(for: digest) { key in
            let judgement = key.judge(request, at: now)
            if let refusal = judgement.refusal { return .refused(refusal) }
            reported = judgement.reported
            admit(key)
            return .admitted(key.id)
        }
        guard let verdict else { return nil }
        if case .refused(let refusal) = verdict { return refuse(refusal) }
        metrics.admitted()
        if !reported.isEmpty, case .admitted(let id) = verdict { reports.note(reported, of: id) }
        return verdict
    }

    /// Verifies a token that is none of Keyward's own that the index holds. Where it fits several schemes and the index holds
    /// none of its digests, the one to look up is that of the longest prefix.
    @inline(never)
    private func verifyForeign(
        _ token: UnsafeRawBufferPointer, own: SecretDigest?, for request: AccessRequest, at now: Timestamp,
        admit: (KeyView) -> Void
    ) -> Verdict {
        var verdict: Verdict?
        var unknown = own
        index.schemes.forEachAddress(of: token) { digest in
            if unknown == nil { unknown = digest }
            verdict = judge(digest, for: request, at: now, admit: admit)
            return verdict == nil
        }
        return verdict ?? unknown.map { .unresolved($0) } ?? refuse(.malformed)
    }

    /// How a key stands that was good when something began that still runs.
    public enum Standing: Sendable, Equatable {
        /// It is good yet, until it expires.
        case good(expiresAt: Timestamp?)
        case ended(Refusal)
    }

    /// Whether keys can be verified now.
    public var isServing: Bool { freshness.isServing }

    /// Looks again at a key and what it was let in for. Not counted as a verification.
    public func recheck(_ digest: SecretDigest, for request: AccessRequest, at now: Timestamp) -> Standing {
        index.withKey(for: digest) { key in
            key.judge(request, at: now).refusal.map { .ended($0) } ?? .good(expiresAt: key.expiresAt)
        } ?? .ended(.unknown)
    }

    /// Notes a refusal that was decided outside (a missing credential), so that all are counted.
    public func refuse(_ refusal: Refusal) -> Verdict {
        metrics.refused(refusal)
        return .refused(refusal)
    }

    /// Looks a digest up once more, in the database, bounded and shared with whoever asks for the same.
    public func resolve(_ digest: SecretDigest) async -> UnknownKeyLookup.Answer {
        let answer = await lookup.resolve(digest)
        return answer == .absent && freshness.standing != .ready ? .unavailable : answer
    }

    /// Ends the verification of a token that stayed unresolved. Found, and gone again before it could be verified, is absent.
    public func verdict(afterResolving answer: UnknownKeyLookup.Answer) -> Verdict {
        guard answer == .unavailable else { return refuse(.unknown) }
        metrics.unavailable()
        return .unavailable
    }

    /// Verifies a token to the end: looks it up if need be.
    /// - Parameters:
    ///   - method: the request's; empty when it is not known.
    ///   - path: the request's, percent-encoded; empty when it is not known.
    ///   - agent: the value of its `User-Agent`.
    ///   - countsUse: whether it is a use of the key that was not counted yet.
    public func verify(
        _ token: String, method: String = "", path: String = "", address: IPAddress? = nil,
        scopes: ScopeRequirement = .none, agent: String? = nil, countsUse: Bool = true, time: TimeSource = .system
    ) async -> Decision {
        let (token, method, path) = (Array(token.utf8), Array(method.utf8), Array(path.utf8))
        var principal: Principal?
        var digest: SecretDigest?
        func attempt() -> Verdict {
            token.withUnsafeBytes { token in
                method.withUnsafeBytes { method in
                    path.withUnsafeBytes { path in
                        let request = AccessRequest(method: method, path: path, address: address, scopes: scopes)
                        return verify(token, for: request, at: time.now()) { key in
                            principal = key.principal
                            digest = key.digest
                        }
                    }
                }
            }
        }
        var verdict = attempt()
        if case .unresolved(let digest) = verdict {
            let answer = await resolve(digest)
            if answer == .found { verdict = attempt() }
            if case .unresolved = verdict { verdict = self.verdict(afterResolving: answer) }
        }
        switch verdict {
        case .admitted:
            guard let principal, let digest else { return .unavailable }
            if countsUse {
                usage?.count(digest, of: principal.keyID, at: time.now(), address: address, agent: agent)
            }
            return .admitted(principal)
        case .refused(let refusal): return .refused(refusal)
        case .unresolved, .unavailable: return .unavailable
        }
    }
}
