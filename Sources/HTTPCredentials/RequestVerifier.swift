public import AuthKeys

/// Decides about requests, for every entry point: the gateway passes bytes, the others pass strings.
public struct RequestVerifier: Sendable {
    /// The result of a decision. `Profile` is that of `Verdict`.
    public enum Outcome<Profile> {
        /// Admitted without a key.
        case preflight
        case ambiguousCredentials
        /// The credential does not exist, and the client's network has sent too many of those. `retryAfter`: the
        /// seconds until the network may make another attempt.
        case tooManyFailedAttempts(retryAfter: Int)
        /// `needing`: the scopes that the request needs.
        case verdict(Verdict<Profile>, needing: ScopeRequirement)
    }

    public let verifier: KeyVerifier
    public let places: CredentialPlaces
    private let rules: ScopeRules
    private let passesPreflights: Bool
    private let attempts: FailedAttempts?
    private let usage: UsageRecorder?
    private var recorder: (any RequestRecorder)?
    private let time: TimeSource

    /// - Parameters:
    ///   - rules: the scopes that requests need.
    ///   - attempts: limits the attempts of each network to send a key that does not exist; nil for no limit.
    ///   - usage: records what `countUse` counts; nil to record nothing.
    public init(
        verifier: KeyVerifier, places: CredentialPlaces = [.authorization, .xAPIKey], rules: ScopeRules = ScopeRules(),
        passesPreflights: Bool = false, attempts: FailedAttempts? = nil, usage: UsageRecorder? = nil,
        time: TimeSource = .system
    ) {
        self.verifier = verifier
        self.places = places
        self.rules = rules
        self.passesPreflights = passesPreflights
        self.attempts = attempts
        self.usage = usage
        self.time = time
    }

    /// Decides about a request on its bytes. Calls `note` with its key, with true if it is accepted, and with the
    /// limits that applied, while the index is locked: it must be short, and must not keep the view.
    /// - Parameter answer: the result of the lookup, if one was made. The verdict is then never `unresolved`.
    public func decide(
        _ request: RequestView, after answer: UnknownKeyLookup.Answer? = nil, note: (KeyView, Bool, LimitUses) -> Void
    ) -> Outcome<Void> {
        decide(request) { token, access in
            verifier.verify(token, for: access, at: time.now(), after: answer, note: note)
        }
    }

    /// Decides about a question of the holder of a key about the key (`AccessRequest.concernsKey`), and describes it.
    /// - Parameter answer: as in `decide`.
    public func describe(
        _ request: RequestView, after answer: UnknownKeyLookup.Answer? = nil
    ) -> Outcome<KeyProfile> {
        decide(request) { token, access in
            verifier.verifyWithProfile(token, for: access, at: time.now(), after: answer)
        }
    }

    /// Decides about a request, with a lookup of its key if necessary. The verdict is never `unresolved`.
    /// - Parameter owners: the owners whose keys the caller may see; keys of others count as unknown.
    public func decide(_ request: IncomingRequest, owners: OwnerScope = .all) async -> Outcome<KeyProfile> {
        let outcome = attempt(request, owners: owners)
        guard case .verdict(.unresolved(let digest), _) = outcome else { return outcome }
        return attempt(request, owners: owners, after: await verifier.resolve(digest))
    }

    /// Decides synchronously; returns nil if the database must be queried first.
    public func decideNow(_ request: IncomingRequest, owners: OwnerScope = .all) -> Outcome<KeyProfile>? {
        let outcome = attempt(request, owners: owners)
        if case .verdict(.unresolved, _) = outcome { return nil }
        return outcome
    }

    private func attempt(
        _ request: IncomingRequest, owners: OwnerScope, after answer: UnknownKeyLookup.Answer? = nil
    ) -> Outcome<KeyProfile> {
        request.withView { request in
            decide(request) { token, access in
                verifier.verifyWithProfile(token, for: access, at: time.now(), after: answer, owners: owners)
            }
        }
    }

    /// Decides about a request. The order of these steps is the order of refusals at every entry point.
    @inline(__always)
    private func decide<Profile>(
        _ request: RequestView, verify: (UnsafeRawBufferPointer, AccessRequest) -> Verdict<Profile>
    ) -> Outcome<Profile> {
        if passesPreflights, request.isPreflight { return .preflight }
        let access: AccessRequest
        do throws(Refusal) {
            access = try withNeededScopes(request.access)
        } catch {
            return refused(error, needing: .none)
        }
        switch request.credential {
        case .ambiguous: return .ambiguousCredentials
        case .none: return refused(.missing, needing: access.scopes)
        case .token(let token):
            let verdict = verify(token, access)
            if let seconds = secondsToWait(after: verdict, from: access.address) {
                return .tooManyFailedAttempts(retryAfter: seconds)
            }
            return .verdict(verdict, needing: access.scopes)
        }
    }

    /// Counts a failed attempt, if a verdict is one. Returns the seconds to wait, if the client's network has made too
    /// many.
    ///
    /// A key that has expired, is inactive or over its limits is not a guess. A credential that is yet to be looked up
    /// is none either, so that a new key is admitted whatever its network has sent before.
    @inline(__always)
    private func secondsToWait<Profile>(after verdict: Verdict<Profile>, from address: IPAddress?) -> Int? {
        switch verdict {
        case .refused(.malformed, _), .refused(.unknown, _):
            guard let attempts, let address else { return nil }
            return attempts.count(from: address)
        case .admitted, .refused, .unresolved, .unavailable: return nil
        }
    }

    /// Returns a refusal that precedes the verification of a token.
    private func refused<Profile>(_ refusal: Refusal, needing needed: ScopeRequirement) -> Outcome<Profile> {
        verifier.countRefusal(refusal)
        return .verdict(.refused(refusal, nil), needing: needed)
    }

    /// Evaluates the key of a running request again. Does not count as a verification.
    public func recheck(_ digest: SecretDigest, for request: AccessRequest, at now: Timestamp) -> KeyVerifier.Status {
        do throws(Refusal) {
            return verifier.recheck(digest, for: try withNeededScopes(request), at: now)
        } catch {
            return .refused(error)
        }
    }

    /// Returns a request with the scopes that it needs by the rules and by itself. Throws the refusal of an ambiguous
    /// one.
    private func withNeededScopes(_ request: AccessRequest) throws(Refusal) -> AccessRequest {
        if request.concernsKey { return request }
        var request = request
        request.scopes = try rules.requirement(method: request.method, path: request.path).union(request.scopes)
        return request
    }

    /// Returns a verifier whose decisions are recorded.
    public func recording(to recorder: (any RequestRecorder)?) -> RequestVerifier {
        var verifier = self
        verifier.recorder = recorder
        return verifier
    }

    /// Counts the use of the key, if it was admitted, and records the decision.
    /// - Parameter began: the time at which the entry point got the request.
    public func count(
        _ outcome: Outcome<KeyProfile>, of request: IncomingRequest, id: RequestID, began: Timestamp
    ) {
        if case .verdict(.admitted(let key, _), _) = outcome { countUse(of: key, by: request) }
        if recorder != nil { record(RequestDecision(outcome), of: request, id: id, began: began) }
    }

    /// Records a decision.
    /// - Parameter status: the status of the response; nil if the response is another program's.
    public func record(
        _ decision: RequestDecision, of request: IncomingRequest, id: RequestID, status: Int? = nil, began: Timestamp
    ) {
        recorder?.record(decision, of: request, id: id, status: status, began: began)
    }

    /// True if decisions are recorded.
    public var isRecording: Bool { recorder != nil }

    /// Gives back the slots of a request that ended.
    public func release(_ slots: inout LimitTicket) { verifier.release(&slots) }

    /// Counts the use of a key by a request that it admitted.
    public func countUse(of key: AdmittedKey, by request: IncomingRequest) {
        usage?.count(key.digest, of: key.id, at: key.verifiedAt, address: request.address, agent: request.agent)
    }
}

extension RequestDecision {
    public init(_ outcome: RequestVerifier.Outcome<KeyProfile>) {
        switch outcome {
        case .preflight: self.init(status: 200, isPreflight: true)
        case .ambiguousCredentials: self.init(status: 400, code: ErrorText.ambiguous.code)
        case .tooManyFailedAttempts:
            self.init(status: Refusal.Kind.limit.status, code: ErrorText.tooManyFailedAttempts.code)
        case .verdict(.admitted(_, let profile), _): self.init(status: 200, key: profile.principal)
        case .verdict(.refused(let refusal, let profile), _):
            self.init(status: refusal.kind.status, code: refusal.code, key: profile?.principal)
        case .verdict(.unresolved, _), .verdict(.unavailable, _):
            self.init(status: 503, code: ErrorText.unavailable.code)
        }
    }
}
