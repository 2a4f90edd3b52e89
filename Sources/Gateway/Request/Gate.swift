import AuthKeys
import HTTPCredentials
import NIOCore

/// The admission of requests: decides by method, credential and key.
struct Gate {
    enum Decision {
        /// With the key; nil for a request that needs none.
        case forward(AdmittedKey?)
        /// Look the digest up, then decide again.
        case resolve(SecretDigest)
        case answer(Answer)
    }

    private let requests: RequestVerifier
    /// True if the path selects the route or follows a base path. An ambiguous path is then refused; otherwise every
    /// path belongs to the upstream.
    private let refusesDotSegments: Bool
    private let limitFields: LimitFieldMode
    private let costs: CostRules
    /// True if the cost of a request can change after its admission.
    private let settlesCosts: Bool

    init(
        verifier: KeyVerifier, attempts: FailedAttempts?, time: TimeSource, configuration: GatewayConfiguration
    ) {
        requests = RequestVerifier(
            verifier: verifier, places: configuration.credentials, rules: configuration.scopes,
            passesPreflights: configuration.passesPreflights, attempts: attempts, time: time)
        limitFields = configuration.limitFields
        costs = configuration.costs
        settlesCosts =
            !configuration.costs.isEmpty || configuration.costField != nil || configuration.costUsage != nil
        refusesDotSegments = configuration.routes.contains { route in
            !route.prefix.isEmpty || route.upstreams.contains { !$0.basePath.isEmpty }
        }
    }

    var verifier: KeyVerifier { requests.verifier }

    /// Decides about a request. For an admitted one, writes the identity fields for the upstream.
    ///
    /// Writes the key and its owner into `holder` if the key exists, valid or not, and the limits that applied into
    /// `limits`.
    /// - Parameter answer: the result of the lookup, if one was made. The decision is then never `resolve`.
    func decide(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded,
        after answer: UnknownKeyLookup.Answer? = nil, identity: inout ByteBuffer, holder: inout KeyHolder,
        limits: inout LimitBuffer
    ) -> Decision {
        identity.clear()
        holder.clear()
        limits.clear()
        if head.method == .connect || head.method == .trace { return .answer(.methodNotAllowed) }
        if refusesDotSegments && PathPattern.hasDotSegment(bytes.part(head.path)) {
            verifier.countRefusal(.pathAmbiguous)
            return .answer(.refused(.pathAmbiguous))
        }
        let request = RequestView(
            credential: Credential(in: head, bytes: bytes, places: requests.places), isPreflight: head.isPreflight,
            access: access(
                head, bytes: bytes, from: forwarded,
                spending: settlesCosts ? spending(of: head, bytes) : Self.spending))
        let reserved = settlesCosts ? request.access.spending.cost : nil
        let outcome = requests.decide(request, after: answer) { key, isAdmitted, uses in
            holder.set(key)
            limits.set(uses, isAdmitted: isAdmitted, settling: reserved, mode: limitFields)
            if isAdmitted { Identity.write(key, to: &identity) }
        }
        switch outcome {
        case .preflight: return .forward(nil)
        case .ambiguousCredentials: return .answer(.ambiguousCredentials)
        case .tooManyFailedAttempts(let seconds): return .answer(.tooManyFailedAttempts(retryAfter: seconds))
        case .verdict(.admitted(let key, _), _): return .forward(key)
        case .verdict(.refused(.scopeMissing, _), let needed): return .answer(.scopeMissing(needed))
        case .verdict(.refused(let refusal, _), _):
            return .answer(limits.refusal.map { .limited($0) } ?? .refused(refusal))
        case .verdict(.unresolved(let digest), _): return .resolve(digest)
        case .verdict(.unavailable, _): return .answer(.verificationUnavailable)
        }
    }

    /// The decision about a question of the holder of a key about the key.
    enum HolderDecision {
        case admitted(AdmittedKey, KeyProfile)
        /// Look the digest up, then decide again.
        case resolve(SecretDigest)
        /// With the profile of the key, if it is known.
        case answer(Answer, KeyProfile?)

        /// The profile of the key, valid or not; nil if it is unknown.
        var profile: KeyProfile? {
            switch self {
            case .admitted(_, let profile): profile
            case .resolve: nil
            case .answer(_, let profile): profile
            }
        }
    }

    /// Decides about a question of the holder of a key about the key. It spends nothing.
    /// - Parameter answer: as in `decide`.
    func describe(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded,
        after answer: UnknownKeyLookup.Answer?
    ) -> HolderDecision {
        var access = self.access(head, bytes: bytes, from: forwarded)
        access.spending = Self.peeking
        access.concernsKey = true
        let request = RequestView(
            credential: Credential(in: head, bytes: bytes, places: requests.places), isPreflight: false,
            access: access)
        switch requests.describe(request, after: answer) {
        case .preflight, .verdict(.unavailable, _): return .answer(.verificationUnavailable, nil)
        case .ambiguousCredentials: return .answer(.ambiguousCredentials, nil)
        case .tooManyFailedAttempts(let seconds): return .answer(.tooManyFailedAttempts(retryAfter: seconds), nil)
        case .verdict(.admitted(let key, let profile), _): return .admitted(key, profile)
        case .verdict(.refused(let refusal, let profile), _): return .answer(.refused(refusal), profile)
        case .verdict(.unresolved(let digest), _): return .resolve(digest)
        }
    }

    /// Evaluates the key of a running request again.
    func recheck(
        _ digest: SecretDigest, _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded,
        at now: Timestamp
    ) -> KeyVerifier.Status {
        requests.recheck(digest, for: access(head, bytes: bytes, from: forwarded), at: now)
    }

    /// Returns the attributes of a request that policies evaluate.
    private func access(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded,
        spending: Spending = Gate.spending
    ) -> AccessRequest {
        AccessRequest(
            method: bytes.part(head.methodText), path: path(of: head, bytes),
            address: forwarded.client(head, bytes: bytes), spending: spending)
    }

    /// Returns the path; an absolute form may be without one.
    private func path(of head: borrowing RequestHead, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        head.path.isEmpty ? Self.root : bytes.part(head.path)
    }

    /// Returns the units that a request takes by the rules, until its cost is settled.
    private func spending(of head: borrowing RequestHead, _ bytes: UnsafeRawBufferPointer) -> Spending {
        let cost = costs.cost(method: bytes.part(head.methodText), path: path(of: head, bytes))
        guard var spending = Spending(cost: cost) else { return Self.spending }
        spending.holdsSlots = true
        spending.isSettled = true
        return spending
    }

    /// One unit, and a slot for the time of the exchange.
    private static let spending = {
        var spending = Spending.one
        spending.holdsSlots = true
        return spending
    }()

    /// Takes nothing, and shows concurrency limits too.
    private static let peeking = {
        var spending = Spending.peek
        spending.showsSlots = true
        return spending
    }()

    private static var root: UnsafeRawBufferPointer {
        let text: StaticString = "/"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
