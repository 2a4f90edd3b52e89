import AuthKeys
import NIOCore

/// The admission of requests: decides by method, credential and key.
struct Gate {
    /// A decision with its key.
    struct Outcome {
        var decision: Exchange.Decision
        var keyID: KeyID?
        /// The digest of the key, or the one to look up if the decision is `resolve`.
        var digest: SecretDigest?
        var expiresAt: Timestamp?
        /// The time at which the key was verified.
        var verifiedAt: Timestamp?
    }

    let verifier: KeyVerifier
    let time: TimeSource
    private let places: CredentialPlaces
    private let passesPreflights: Bool
    /// True if the path selects the route or follows a base path. An ambiguous path is then refused; otherwise every
    /// path belongs to the upstream.
    private let refusesDotSegments: Bool
    private let scopes: ScopeRules

    init(verifier: KeyVerifier, time: TimeSource, configuration: GatewayConfiguration) {
        self.verifier = verifier
        self.time = time
        places = configuration.credentials
        passesPreflights = configuration.passesPreflights
        scopes = configuration.scopes
        refusesDotSegments = configuration.routes.contains { route in
            !route.prefix.isEmpty || route.upstreams.contains { !$0.basePath.isEmpty }
        }
    }

    /// Decides about a request. For an admitted one, writes the identity fields for the upstream.
    /// - Parameter answer: the result of the lookup, if one was made. The decision is then never `resolve`.
    func decide(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded,
        after answer: UnknownKeyLookup.Answer? = nil, identity: inout ByteBuffer
    ) -> Outcome {
        identity.clear()
        if head.method == .connect || head.method == .trace { return Outcome(decision: .answer(.methodNotAllowed)) }
        if refusesDotSegments && PathPattern.hasDotSegment(bytes.part(head.path)) {
            return outcome(verifier.refuse(.pathAmbiguous), needing: .none, after: answer)
        }
        if passesPreflights && head.isPreflight { return Outcome(decision: .forward) }
        let request: AccessRequest
        do throws(Refusal) {
            request = try self.request(head, bytes: bytes, from: forwarded)
        } catch {
            return outcome(verifier.refuse(error), needing: .none, after: answer)
        }
        switch Credential(in: head, bytes: bytes, places: places) {
        case .ambiguous: return Outcome(decision: .answer(.ambiguousCredentials))
        case .none: return outcome(verifier.refuse(.missing), needing: request.scopes, after: answer)
        case .token(let range):
            var digest: SecretDigest?
            var expiresAt: Timestamp?
            let now = time.now()
            let verdict = verifier.verify(bytes.part(range), for: request, at: now) { key in
                Identity.write(key, to: &identity)
                digest = key.digest
                expiresAt = key.expiresAt
            }
            var outcome = outcome(verdict, needing: request.scopes, after: answer)
            if case .admitted = verdict {
                (outcome.digest, outcome.expiresAt, outcome.verifiedAt) = (digest, expiresAt, now)
            }
            return outcome
        }
    }

    /// Evaluates the key of a running request again.
    func recheck(
        _ digest: SecretDigest, _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded,
        at now: Timestamp
    ) -> KeyVerifier.Status {
        do throws(Refusal) {
            return verifier.recheck(digest, for: try request(head, bytes: bytes, from: forwarded), at: now)
        } catch {
            return .refused(error)
        }
    }

    /// Returns the request in the form that policies evaluate. Throws the refusal of an ambiguous one.
    private func request(
        _ head: borrowing RequestHead, bytes: UnsafeRawBufferPointer, from forwarded: Forwarded
    ) throws(Refusal) -> AccessRequest {
        let method = bytes.part(head.methodText)
        // An absolute form may be without a path.
        let path = head.path.isEmpty ? Self.root : bytes.part(head.path)
        let needed = try scopes.requirement(method: method, path: path)
        return AccessRequest(
            method: method, path: path, address: forwarded.client(head, bytes: bytes), scopes: needed)
    }

    private static var root: UnsafeRawBufferPointer {
        let text: StaticString = "/"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private func outcome(
        _ verdict: Verdict, needing needed: ScopeRequirement, after answer: UnknownKeyLookup.Answer?
    ) -> Outcome {
        switch verdict {
        case .admitted(let id): return Outcome(decision: .forward, keyID: id)
        case .refused(.scopeMissing): return Outcome(decision: .answer(.scopeMissing(needed)))
        case .refused(let refusal): return Outcome(decision: .answer(.refused(refusal)))
        case .unavailable: return Outcome(decision: .answer(.verificationUnavailable))
        case .unresolved(let digest):
            guard let answer else { return Outcome(decision: .resolve, digest: digest) }
            return outcome(verifier.verdict(afterResolving: answer), needing: needed, after: answer)
        }
    }
}
