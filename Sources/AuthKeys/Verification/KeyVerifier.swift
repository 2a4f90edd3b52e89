public import Logging

/// Decides whether a token is accepted, for every entry point.
///
/// `verify` holds no lock for long and does no input or output. It allocates nothing of its own, unless a report-only
/// rule reports. A key without limits costs one test of a bit more than no limits at all.
public final class KeyVerifier: Sendable {
    public let index: KeyIndex
    private let freshness: IndexFreshness
    private let lookup: UnknownKeyLookup
    private let reads: ReadWaiters
    private let limiter: Limiter
    private let time: TimeSource
    private let metrics = VerificationMetrics()
    private let reports: PolicyReports

    /// - Parameters:
    ///   - reads: the follower's reads, which a suspended instance waits for after it wakes up.
    ///   - limiter: decides about the limits of keys.
    public init(
        index: KeyIndex, freshness: IndexFreshness, lookup: UnknownKeyLookup, reads: ReadWaiters = ReadWaiters(),
        limiter: Limiter = Limiter(), time: TimeSource = .system,
        logger: Logger = Logger(label: "keyward.policy")
    ) {
        self.reads = reads
        self.limiter = limiter
        self.time = time
        reports = PolicyReports(metrics: metrics, logger: logger, time: time)
        self.index = index
        self.freshness = freshness
        self.lookup = lookup
    }

    /// Verifies a token for a request, and takes the request's units from the limits of its key. Calls `note` with the
    /// key, with true if it is accepted, and with the limits that applied, while the index is locked: it must be short,
    /// and must not keep the view.
    /// - Parameter answer: the result of the lookup, if one was made. The verdict is then never `unresolved`.
    public func verify(
        _ token: UnsafeRawBufferPointer, for request: AccessRequest = .unknown, at now: Timestamp,
        after answer: UnknownKeyLookup.Answer? = nil, note: (KeyView, Bool, LimitUses) -> Void = { _, _, _ in }
    ) -> Verdict<Void> {
        decide(token, for: request, at: now, after: answer, spends: { _ in true }, describe: note)
    }

    /// Does the same as `verify`, and describes the key, valid or not.
    /// - Parameter owners: the owners whose keys the caller may see; keys of others are unknown, and spend nothing.
    public func verifyWithProfile(
        _ token: UnsafeRawBufferPointer, for request: AccessRequest, at now: Timestamp,
        after answer: UnknownKeyLookup.Answer? = nil, owners: OwnerScope = .all
    ) -> Verdict<KeyProfile> {
        decide(
            token, for: request, at: now, after: answer,
            spends: { owners == .all || owners.contains($0.principal.owner) },
            describe: { key, _, uses in key.profile(uses) }
        ).limited(to: owners)
    }

    /// Decides about a token.
    /// - Parameters:
    ///   - spends: returns false for a key that spends nothing.
    ///   - describe: reads the key while the index is locked, and gets whether it is admitted, and its limits.
    @inline(__always)
    private func decide<Profile: Sendable>(
        _ token: UnsafeRawBufferPointer, for request: AccessRequest, at now: Timestamp,
        after answer: UnknownKeyLookup.Answer?, spends: (KeyView) -> Bool,
        describe: (KeyView, Bool, LimitUses) -> Profile
    ) -> Verdict<Profile> {
        let service = freshness.service(at: now)
        if service == .stopped { return unavailable() }
        let own = TokenFormat.isWellFormed(token) ? SecretDigest(hashing: token) : nil
        if service == .asleep { return undecided(firstDigest(of: token, own: own), after: answer) }
        if !index.schemes.isEmpty {
            return decideAmongSchemes(
                token, own: own, for: request, at: now, after: answer, spends: spends, describe: describe)
        }
        guard let own else { return refused(.malformed) }
        return evaluate(own, for: request, at: now, after: answer, spends: spends, describe: describe)
    }

    /// The decision about a known key.
    private struct Found<Profile: Sendable>: Sendable {
        let refusal: Refusal?
        let reported: PolicyRules
        let id: KeyID
        let expiresAt: Timestamp?
        /// True if the request was refused only until the database has answered about a limit or the credits.
        var awaitsAnswer = false
        let profile: Profile
    }

    /// Decides about the key of a digest.
    @inline(__always)
    private func evaluate<Profile: Sendable>(
        _ digest: SecretDigest, for request: AccessRequest, at now: Timestamp, after answer: UnknownKeyLookup.Answer?,
        spends: (KeyView) -> Bool, describe: (KeyView, Bool, LimitUses) -> Profile
    ) -> Verdict<Profile> {
        let found = index.withKey(for: digest) { key in
            let (refusal, reported) = key.evaluate(request, at: now)
            if refusal == nil, isLimited(key, for: request), spends(key) {
                return spend(
                    from: key, for: request, reported: reported, mayWait: answer == nil && limiter.isInTouch,
                    describe: describe)
            }
            return Found(
                refusal: refusal, reported: reported, id: key.id, expiresAt: key.expiresAt,
                profile: describe(key, refusal == nil, .none))
        }
        guard let found else { return absent(digest, after: answer) }
        if found.awaitsAnswer { return .unresolved(digest) }
        if let refusal = found.refusal { return refused(refusal, found.profile) }
        metrics.admitted()
        if !found.reported.isEmpty { reports.note(found.reported, of: found.id) }
        let key = AdmittedKey(id: found.id, digest: digest, verifiedAt: now, expiresAt: found.expiresAt)
        return .admitted(key, found.profile)
    }

    /// Returns true if a limit or the credits of the key may apply to the request.
    @inline(__always)
    private func isLimited(_ key: KeyView, for request: AccessRequest) -> Bool {
        let isLimitedElsewhere = limiter.hasOwnerLimits || !request.spending.asked.isEmpty
        guard key.hasPolicy || isLimitedElsewhere, !request.spending.isNone, limiter.options.mode != .off else {
            return false
        }
        return isLimitedElsewhere || PolicyView(key.texts.policy).isLimited
    }

    /// Takes the units of a request from the limits of a key that is valid for it.
    /// - Parameter reported: the report-only rules that would have refused the request.
    @inline(never)
    private func spend<Profile: Sendable>(
        from key: KeyView, for request: AccessRequest, reported: PolicyRules, mayWait: Bool,
        describe: (KeyView, Bool, LimitUses) -> Profile
    ) -> Found<Profile> {
        let policy = PolicyView(key.texts.policy)
        let own = policy.limits
        let owner = key.texts.owner
        return AskedLimits.withLimits(of: own?.limits, for: request.spending) {
            limiter.defines($0, plan: own?.plan, owner: owner)
        } _: { limits in
            guard let limits else {
                return Found(
                    refusal: .limitUnknown, reported: [], id: key.id, expiresAt: key.expiresAt,
                    profile: describe(key, false, .none))
            }
            return limiter.take(
                plan: own?.plan, limits: limits, hasCredits: policy.hasCredits, key: key.id, owner: owner,
                for: request, version: key.version, reportOnly: policy.reportOnly, mayWait: mayWait
            ) { refusal, uses -> Found<Profile> in
                if request.concernsKey, refusal == nil || refusal?.kind == .limit {
                    return Found(
                        refusal: nil, reported: reported, id: key.id, expiresAt: key.expiresAt,
                        profile: describe(key, true, uses))
                }
                return Found(
                    refusal: refusal, reported: refusal == nil ? reported.union(uses.reported) : [], id: key.id,
                    expiresAt: key.expiresAt, awaitsAnswer: uses.awaitsAnswer,
                    profile: describe(key, refusal == nil, uses))
            }
        }
    }

    /// Decides about a token while schemes of other systems are known.
    ///
    /// A token that was imported under several schemes is accepted only while each of its keys is, so that revoking one
    /// key revokes the token. It represents the first key: that of its own format, or of the longest prefix. Only that
    /// key's limits are spent. If the index holds none, that digest is the one to look up.
    @inline(never)
    private func decideAmongSchemes<Profile: Sendable>(
        _ token: UnsafeRawBufferPointer, own: SecretDigest?, for request: AccessRequest, at now: Timestamp,
        after answer: UnknownKeyLookup.Answer?, spends: (KeyView) -> Bool,
        describe: (KeyView, Bool, LimitUses) -> Profile
    ) -> Verdict<Profile> {
        var unknown = own
        var found: SecretDigest?
        var (isOneOfSeveral, wasDeleted) = (false, false)
        forEachDigest(of: token, own: own) { digest in
            switch index.state(of: digest) {
            case nil: break
            case .deleted: wasDeleted = true
            case .active, .disabled, .deactivated:
                isOneOfSeveral = found != nil
                found = found ?? digest
            }
            unknown = unknown ?? digest
        }
        if wasDeleted { return refused(.unknown) }
        guard var deciding = found else { return undecided(unknown, after: answer) }
        if isOneOfSeveral {
            var refusing: SecretDigest?
            forEachDigest(of: token, own: own) { digest in
                let refuses = index.withKey(for: digest) { $0.evaluate(request, at: now).refusal != nil } ?? false
                if refuses { refusing = refusing ?? digest }
            }
            deciding = refusing ?? deciding
        }
        return evaluate(deciding, for: request, at: now, after: answer, spends: spends, describe: describe)
    }

    /// Decides about a digest without a key in the index. A deleted key needs no lookup, since deletion is permanent.
    @inline(never)
    private func absent<Profile>(_ digest: SecretDigest, after answer: UnknownKeyLookup.Answer?) -> Verdict<Profile> {
        index.state(of: digest) == .deleted ? refused(.unknown) : undecided(digest, after: answer)
    }

    /// Decides about a token that the index alone cannot decide about.
    /// - Parameter digest: the one to look up; nil for a malformed token.
    @inline(never)
    private func undecided<Profile>(
        _ digest: SecretDigest?, after answer: UnknownKeyLookup.Answer?
    ) -> Verdict<Profile> {
        guard let digest else { return refused(.malformed) }
        switch answer {
        case nil: return .unresolved(digest)
        case .absent: return refused(.unknown)
        // If the key was found, the instance was suspended again, which is not the caller's fault.
        case .found, .unavailable: return unavailable()
        }
    }

    private func unavailable<Profile>() -> Verdict<Profile> {
        metrics.unavailable()
        return .unavailable
    }

    private func refused<Profile>(_ refusal: Refusal, _ profile: Profile? = nil) -> Verdict<Profile> {
        metrics.refused(refusal)
        return .refused(refusal, profile)
    }

    /// Returns the first digest that a token may be stored under; nil if it is malformed.
    @inline(never)
    private func firstDigest(of token: UnsafeRawBufferPointer, own: SecretDigest?) -> SecretDigest? {
        var first: SecretDigest?
        forEachDigest(of: token, own: own) { first = first ?? $0 }
        return first
    }

    /// Calls `body` with each digest that a token may be stored under, that of Keyward's own format first.
    @inline(__always)
    private func forEachDigest(
        of token: UnsafeRawBufferPointer, own: SecretDigest?, _ body: (SecretDigest) -> Void
    ) {
        if let own { body(own) }
        index.schemes.forEachDigest(of: token) { if $0 != own { body($0) } }
    }

    /// The status of the key of an exchange that was admitted and is still running.
    public enum Status: Sendable, Equatable {
        /// The key stays valid until it expires.
        case valid(expiresAt: Timestamp?)
        case refused(Refusal)
    }

    /// True if keys can be verified now.
    public var isServing: Bool { freshness.isServing }

    /// Evaluates a key again for an exchange that it was admitted for. Does not count as a verification, and spends
    /// nothing.
    public func recheck(_ digest: SecretDigest, for request: AccessRequest, at now: Timestamp) -> Status {
        index.withKey(for: digest) { key in
            key.evaluate(request, at: now).refusal.map { .refused($0) } ?? .valid(expiresAt: key.expiresAt)
        } ?? .refused(.unknown)
    }

    /// Gives back the slots of a request that was admitted and has ended.
    public func release(_ ticket: inout LimitTicket) {
        limiter.release(&ticket)
    }

    /// Settles the cost of a request that was admitted, once it is known. It may be settled again until `conclude`.
    public func settle(_ reservation: inout LimitReservation, cost: Int64) {
        limiter.settle(&reservation, cost: cost)
    }

    /// Ends the reservation of a request that has ended.
    public func conclude(_ reservation: inout LimitReservation) {
        limiter.conclude(&reservation)
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
    /// - Parameter owners: the owners whose keys the caller may see; keys of others count as unknown.
    public func identify(_ token: String, owners: OwnerScope) async -> Holder {
        let service = freshness.service(at: time.now())
        if service == .stopped { return .unavailable }
        let token = Array(token.utf8)
        func find() -> (found: KeyProfile?, unknown: SecretDigest?) {
            token.withUnsafeBytes { token in
                let own = TokenFormat.isWellFormed(token) ? SecretDigest(hashing: token) : nil
                var (found, unknown): (KeyProfile?, SecretDigest?) = (nil, nil)
                forEachDigest(of: token, own: own) { digest in
                    found = found ?? index.withKey(for: digest) { $0.profile(.none) }
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
        guard let found = result.found, owners.contains(found.principal.owner) else { return .noKey }
        return .key(found)
    }

    /// Counts a refusal that precedes the verification of a token, such as that of a missing credential.
    public func countRefusal(_ refusal: Refusal) {
        metrics.refused(refusal)
    }

    /// Waits until a suspended instance has read the changes, and until the database has answered about the limits and
    /// credits of the key. Looks up a digest that the index lacks in the database, bounded, and shared with other
    /// callers for the same digest.
    public func resolve(_ digest: SecretDigest) async -> UnknownKeyLookup.Answer {
        // A failed read ends the suspended state too: then the instance serves from memory, as far as allowed. The next
        // read may have begun before the wake-up was noticed; the one after it has not.
        for _ in 0..<2 where freshness.service(at: time.now()) == .asleep { _ = await reads.next() }
        guard freshness.service(at: time.now()) == .serving else { return .unavailable }
        if index.holds(digest) {
            let cells = index.withKey(for: digest) { key in
                let policy = PolicyView(key.texts.policy)
                let own = policy.limits
                return limiter.awaited(
                    plan: own?.plan, limits: own?.limits ?? UnsafeRawBufferPointer(start: nil, count: 0),
                    hasCredits: policy.hasCredits, key: key.id, owner: key.texts.owner)
            }
            if let cells { await limiter.answers(of: cells) }
            return .found
        }
        let answer = await lookup.resolve(digest)
        return answer == .absent && freshness.status != .ready ? .unavailable : answer
    }
}
