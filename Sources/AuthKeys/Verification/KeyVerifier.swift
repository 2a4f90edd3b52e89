public import Logging

/// Decides whether a token opens the door: the one place where that is decided, for every way in.
///
/// `verify` takes no lock that is held for long, does no input or output and allocates nothing of its own, unless a rule that
/// only reports has something to say.
public final class KeyVerifier: Sendable {
    public let index: KeyIndex
    private let freshness: IndexFreshness
    private let lookup: UnknownKeyLookup
    private let reads: ReadWaiters
    private let time: TimeSource
    private let metrics = VerificationMetrics()
    private let reports: PolicyReports
    private let usage: UsageRecorder?

    /// - Parameters:
    ///   - reads: the follower's reads, which an instance that slept waits for.
    ///   - usage: counts the keys that `verify(_:method:…)` admits; callers of the other `verify` count themselves.
    public init(
        index: KeyIndex, freshness: IndexFreshness, lookup: UnknownKeyLookup, reads: ReadWaiters = ReadWaiters(),
        usage: UsageRecorder? = nil, time: TimeSource = .system, logger: Logger = Logger(label: "keyward.policy")
    ) {
        self.reads = reads
        self.time = time
        self.usage = usage
        reports = PolicyReports(metrics: metrics, logger: logger, time: time)
        self.index = index
        self.freshness = freshness
        self.lookup = lookup
    }

    /// Verifies a token for a request; `admit` is called with the key if it is good, `refuse` if it is not, while the index
    /// waits: they must be short, and keep nothing of the view.
    public func verify(
        _ token: UnsafeRawBufferPointer, for request: AccessRequest = .unknown, at now: Timestamp,
        admit: (KeyView) -> Void = { _ in }, refuse: (KeyView) -> Void = { _ in }
    ) -> Verdict {
        let service = freshness.service(at: now)
        if service == .stopped {
            metrics.unavailable()
            return .unavailable
        }
        let own = TokenFormat.isWellFormed(token) ? SecretDigest(hashing: token) : nil
        if service == .asleep { return unresolved(token, own: own) }
        if !index.schemes.isEmpty {
            return verifyAmongSchemes(token, own: own, for: request, at: now, admit: admit, refuse: refuse)
        }
        guard let own else { return self.refuse(.malformed) }
        return evaluate(own, for: request, at: now, admit: admit, refuse: refuse) ?? absent(own)
    }

    /// The verdict on a digest that no key in the index has: a deleted key's needs no lookup, since it is deleted for good.
    @inline(never)
    private func absent(_ digest: SecretDigest) -> Verdict {
        index.state(of: digest) == .deleted ? refuse(.unknown) : .unresolved(digest)
    }

    /// The verdict on a token while the index may lack revocations.
    @inline(never)
    private func unresolved(_ token: UnsafeRawBufferPointer, own: SecretDigest?) -> Verdict {
        var first: SecretDigest?
        forEachAddress(of: token, own: own) { first = first ?? $0 }
        return first.map { .unresolved($0) } ?? refuse(.malformed)
    }

    /// What becomes of the key behind a digest; nil if the index holds none.
    @inline(__always)
    private func evaluate(
        _ digest: SecretDigest, for request: AccessRequest, at now: Timestamp, admit: (KeyView) -> Void,
        refuse: (KeyView) -> Void
    ) -> Verdict? {
        var reported: PolicyRules = []
        let verdict: Verdict? = index.withKey(for: digest) { key in
            let evaluation = key.evaluate(request, at: now)
            if let refusal = evaluation.refusal {
                refuse(key)
                return .refused(refusal)
            }
            reported = evaluation.reported
            admit(key)
            return .admitted(key.id)
        }
        guard let verdict else { return nil }
        if case .refused(let refusal) = verdict { return self.refuse(refusal) }
        metrics.admitted()
        if !reported.isEmpty, case .admitted(let id) = verdict { reports.note(reported, of: id) }
        return verdict
    }

    /// Verifies a token where there are some that Keyward did not make. One that was brought in under several schemes is good as
    /// long as each of its keys is, so that whoever ends one has ended it; it speaks for the first: its own, or that of the longest
    /// prefix. Where the index holds none, that is the one to look up.
    @inline(never)
    private func verifyAmongSchemes(
        _ token: UnsafeRawBufferPointer, own: SecretDigest?, for request: AccessRequest, at now: Timestamp,
        admit: (KeyView) -> Void, refuse: (KeyView) -> Void
    ) -> Verdict {
        var unknown = own
        var found: SecretDigest?
        var (isOneOfSeveral, wasDeleted) = (false, false)
        forEachAddress(of: token, own: own) { digest in
            switch index.state(of: digest) {
            case nil: break
            case .deleted: wasDeleted = true
            case .active, .disabled, .deactivated:
                isOneOfSeveral = found != nil
                found = found ?? digest
            }
            unknown = unknown ?? digest
        }
        if wasDeleted { return self.refuse(.unknown) }
        guard var deciding = found else { return unknown.map { .unresolved($0) } ?? self.refuse(.malformed) }
        if isOneOfSeveral {
            var refusing: SecretDigest?
            forEachAddress(of: token, own: own) { digest in
                let refuses = index.withKey(for: digest) { $0.evaluate(request, at: now).refusal != nil } ?? false
                if refuses { refusing = refusing ?? digest }
            }
            deciding = refusing ?? deciding
        }
        return evaluate(deciding, for: request, at: now, admit: admit, refuse: refuse) ?? .unresolved(deciding)
    }

    /// Calls `body` with each place where a token may be, its own first.
    @inline(__always)
    private func forEachAddress(
        of token: UnsafeRawBufferPointer, own: SecretDigest?, _ body: (SecretDigest) -> Void
    ) {
        if let own { body(own) }
        index.schemes.forEachAddress(of: token) { if $0 != own { body($0) } }
    }

    /// The status of a key that was valid when an exchange began which is still running.
    public enum Status: Sendable, Equatable {
        /// The key stays valid until it expires.
        case valid(expiresAt: Timestamp?)
        case refused(Refusal)
    }

    /// Whether keys can be verified now.
    public var isServing: Bool { freshness.isServing }

    /// Looks again at a key and what it was let in for. Not counted as a verification.
    public func recheck(_ digest: SecretDigest, for request: AccessRequest, at now: Timestamp) -> Status {
        index.withKey(for: digest) { key in
            key.evaluate(request, at: now).refusal.map { .refused($0) } ?? .valid(expiresAt: key.expiresAt)
        } ?? .refused(.unknown)
    }

    /// Whose key a token is.
    public enum Holder: Sendable, Equatable {
        /// A key, good or not.
        case key(KeyProfile)
        case noKey
        case unavailable
    }

    /// Says whose key a token is. That is no verification and no use: nothing is counted, and no rule looked at.
    /// - Parameter asker: who may learn of some keys only: to it, others are unknown.
    public func identify(_ token: String, caller: Admin) async -> Holder {
        let service = freshness.service(at: time.now())
        if service == .stopped { return .unavailable }
        let token = Array(token.utf8)
        func look() -> (found: KeyProfile?, unknown: SecretDigest?) {
            token.withUnsafeBytes { token in
                let own = TokenFormat.isWellFormed(token) ? SecretDigest(hashing: token) : nil
                var (found, unknown): (KeyProfile?, SecretDigest?) = (nil, nil)
                forEachAddress(of: token, own: own) { digest in
                    found = found ?? index.withKey(for: digest) { $0.profile }
                    unknown = unknown ?? digest
                }
                return (found, unknown)
            }
        }
        var place = look()
        if let unknown = place.unknown, service == .asleep || place.found == nil && index.state(of: unknown) != .deleted
        {
            switch await resolve(unknown) {
            case .found: place = look()
            case .absent: break
            case .unavailable: return .unavailable
            }
        }
        guard let found = place.found, caller.sees(owner: found.principal.owner) else { return .noKey }
        return .key(found)
    }

    /// Notes a refusal that was decided outside (a missing credential), so that all are counted.
    public func refuse(_ refusal: Refusal) -> Verdict {
        metrics.refused(refusal)
        return .refused(refusal)
    }

    /// Waits until an instance that slept has read the changes; then looks up a digest that the index does not hold in the database,
    /// bounded, and shared with other callers that ask for the same.
    public func resolve(_ digest: SecretDigest) async -> UnknownKeyLookup.Answer {
        if freshness.service(at: time.now()) == .asleep {
            // A read that failed has woken the instance too: it serves from memory then, as far as that is allowed.
            _ = await reads.next()
            guard freshness.service(at: time.now()) == .serving else { return .unavailable }
            if index.holds(digest) { return .found }
        }
        let answer = await lookup.resolve(digest)
        return answer == .absent && freshness.status != .ready ? .unavailable : answer
    }

    /// Ends the verification of a token that stayed unresolved. One that was found, and could not be verified even so, is not the
    /// caller's fault: the instance slept again.
    public func verdict(afterResolving answer: UnknownKeyLookup.Answer) -> Verdict {
        if answer == .absent { return refuse(.unknown) }
        metrics.unavailable()
        return .unavailable
    }

    /// Verifies a token to the end: looks it up if need be.
    /// - Parameters:
    ///   - method: the request's; empty when it is not known.
    ///   - path: the request's, percent-encoded; empty when it is not known.
    ///   - agent: the value of its `User-Agent`.
    ///   - countsUse: whether it is a use of the key that was not counted yet.
    ///   - asker: who may learn of some keys only: to it, others are unknown; nil for nobody in particular.
    public func verify(
        _ token: String, method: String = "", path: String = "", address: IPAddress? = nil,
        scopes: ScopeRequirement = .none, agent: String? = nil, countsUse: Bool = true, caller: Admin? = nil,
        time: TimeSource = .system
    ) async -> Decision {
        func attempt() -> Attempt {
            self.attempt(
                token, method: method, path: path, address: address, scopes: scopes, agent: agent,
                countsUse: countsUse, caller: caller, time: time)
        }
        switch attempt() {
        case .decided(let decision): return decision
        case .unresolved(let digest):
            let answer = await resolve(digest)
            if answer == .found, case .decided(let decision) = attempt() { return decision }
            if case .refused(let refusal) = verdict(afterResolving: answer) { return .refused(refusal, nil) }
            return .unavailable
        }
    }

    /// What a look into the index came to.
    enum Attempt {
        case decided(Decision)
        /// It holds no such key: the database has to be asked.
        case unresolved(SecretDigest)
    }

    /// Verifies a token as far as the index knows. What is decided is counted.
    func attempt(
        _ token: String, method: String, path: String, address: IPAddress?, scopes: ScopeRequirement, agent: String?,
        countsUse: Bool, caller: Admin?, time: TimeSource
    ) -> Attempt {
        var (token, method, path) = (token, method, path)
        let now = time.now()
        var profile: KeyProfile?
        var digest: SecretDigest?
        let verdict = token.withUTF8 { token in
            method.withUTF8 { method in
                path.withUTF8 { path in
                    let request = AccessRequest(
                        method: UnsafeRawBufferPointer(method), path: UnsafeRawBufferPointer(path), address: address,
                        scopes: scopes)
                    return verify(UnsafeRawBufferPointer(token), for: request, at: now) { key in
                        profile = key.profile
                        digest = key.digest
                    } refuse: { key in
                        profile = key.profile
                    }
                }
            }
        }
        if case .unresolved(let digest) = verdict { return .unresolved(digest) }
        if let caller, let found = profile, !caller.sees(owner: found.principal.owner) {
            return .decided(.refused(.unknown, nil))
        }
        switch verdict {
        case .admitted:
            guard let profile, let digest else { return .decided(.unavailable) }
            if countsUse {
                usage?.count(digest, of: profile.principal.keyID, at: now, address: address, agent: agent)
            }
            return .decided(.admitted(profile))
        case .refused(let refusal): return .decided(.refused(refusal, profile))
        case .unresolved, .unavailable: return .decided(.unavailable)
        }
    }
}
