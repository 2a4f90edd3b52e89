public import Logging

/// Decides whether a token is accepted, for every entry point.
///
/// `verify` holds no lock for long and does no input or output. It allocates nothing of its own, unless a report-only
/// rule reports.
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
    ///   - reads: the follower's reads, which a suspended instance waits for after it wakes up.
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

    /// Verifies a token for a request. Calls `admit` with an accepted key or `refuse` with a refused one, while the
    /// index is locked. Both must be short, and must not keep the view.
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

    /// Returns the verdict on a digest without a key in the index. A deleted key needs no lookup, since deletion is
    /// permanent.
    @inline(never)
    private func absent(_ digest: SecretDigest) -> Verdict {
        index.state(of: digest) == .deleted ? refuse(.unknown) : .unresolved(digest)
    }

    /// Returns the verdict on a token while the index may lack revocations.
    @inline(never)
    private func unresolved(_ token: UnsafeRawBufferPointer, own: SecretDigest?) -> Verdict {
        var first: SecretDigest?
        forEachAddress(of: token, own: own) { first = first ?? $0 }
        return first.map { .unresolved($0) } ?? refuse(.malformed)
    }

    /// Returns the verdict on the key of a digest; nil if the index has none.
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

    /// Verifies a token while schemes of other systems are known.
    ///
    /// A token that was imported under several schemes is accepted only while each of its keys is, so that revoking one
    /// key revokes the token. It represents the first key: that of its own format, or of the longest prefix. If the
    /// index holds none, that digest is the one to look up.
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

    /// Calls `body` with each digest that a token may be stored under, that of Keyward's own format first.
    @inline(__always)
    private func forEachAddress(
        of token: UnsafeRawBufferPointer, own: SecretDigest?, _ body: (SecretDigest) -> Void
    ) {
        if let own { body(own) }
        index.schemes.forEachAddress(of: token) { if $0 != own { body($0) } }
    }

    /// The status of the key of an exchange that was admitted and is still running.
    public enum Status: Sendable, Equatable {
        /// The key stays valid until it expires.
        case valid(expiresAt: Timestamp?)
        case refused(Refusal)
    }

    /// True if keys can be verified now.
    public var isServing: Bool { freshness.isServing }

    /// Evaluates a key again for an exchange that it was admitted for. Does not count as a verification.
    public func recheck(_ digest: SecretDigest, for request: AccessRequest, at now: Timestamp) -> Status {
        index.withKey(for: digest) { key in
            key.evaluate(request, at: now).refusal.map { .refused($0) } ?? .valid(expiresAt: key.expiresAt)
        } ?? .refused(.unknown)
    }

    /// The key that a token belongs to.
    public enum Holder: Sendable, Equatable {
        /// A key, valid or not.
        case key(KeyProfile)
        case noKey
        case unavailable
    }

    /// Returns the key that a token belongs to. This is neither a verification nor a use: nothing is counted, and no
    /// rule is evaluated.
    /// - Parameter caller: the admin that asks; keys that it may not see count as unknown.
    public func identify(_ token: String, caller: Admin) async -> Holder {
        let service = freshness.service(at: time.now())
        if service == .stopped { return .unavailable }
        let token = Array(token.utf8)
        func find() -> (found: KeyProfile?, unknown: SecretDigest?) {
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
        var result = find()
        if let unknown = result.unknown,
            service == .asleep || result.found == nil && index.state(of: unknown) != .deleted
        {
            switch await resolve(unknown) {
            case .found: result = find()
            case .absent: break
            case .unavailable: return .unavailable
            }
        }
        guard let found = result.found, caller.sees(owner: found.principal.owner) else { return .noKey }
        return .key(found)
    }

    /// Records a refusal that was decided elsewhere (a missing credential), so that all are counted.
    public func refuse(_ refusal: Refusal) -> Verdict {
        metrics.refused(refusal)
        return .refused(refusal)
    }

    /// Waits until a suspended instance has read the changes. Then looks up a digest that the index lacks in the
    /// database, bounded, and shared with other callers for the same digest.
    public func resolve(_ digest: SecretDigest) async -> UnknownKeyLookup.Answer {
        if freshness.service(at: time.now()) == .asleep {
            // A failed read ends the suspended state too: then the instance serves from memory, as far as allowed.
            _ = await reads.next()
            guard freshness.service(at: time.now()) == .serving else { return .unavailable }
            if index.holds(digest) { return .found }
        }
        let answer = await lookup.resolve(digest)
        return answer == .absent && freshness.status != .ready ? .unavailable : answer
    }

    /// Ends the verification of a token that stayed unresolved. If the key was found and still could not be verified,
    /// the instance was suspended again, which is not the caller's fault.
    public func verdict(afterResolving answer: UnknownKeyLookup.Answer) -> Verdict {
        if answer == .absent { return refuse(.unknown) }
        metrics.unavailable()
        return .unavailable
    }

    /// Verifies a token completely, with a lookup if necessary.
    /// - Parameters:
    ///   - method: the request's; empty if unknown.
    ///   - path: the request's, percent-encoded; empty if unknown.
    ///   - agent: the value of its `User-Agent`.
    ///   - countsUse: whether this is a use of the key that was not counted yet.
    ///   - caller: the admin that asks, to which keys that it may not see are unknown; nil for no admin.
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

    /// The result of a verification against the index alone.
    enum Attempt {
        case decided(Decision)
        /// The index has no such key: the database must be queried.
        case unresolved(SecretDigest)
    }

    /// Verifies a token against the index. Decided verifications are counted.
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
