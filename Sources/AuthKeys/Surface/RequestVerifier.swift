/// Decides about requests whose fields are strings, for every entry point but the gateway. The gateway decides the same
/// on bytes, in the same order.
public struct RequestVerifier: Sendable {
    /// The attributes of a request that the decision needs.
    public struct Incoming: Sendable {
        /// The values of its `Authorization` and `X-API-Key` fields.
        public var authorization: [String]
        public var apiKey: [String]
        /// Empty if unknown.
        public var method: String
        /// Percent-encoded, with or without its query; empty if unknown.
        public var path: String
        public var address: IPAddress?
        /// The value of `User-Agent`.
        public var agent: String?
        /// True for a CORS preflight (Fetch standard, section 3.2.2).
        public var isPreflight: Bool
        /// Needed scopes, in addition to those of the rules.
        public var scopes: ScopeRequirement
        /// True if the request counts as a use of its key; false if it was counted before.
        public var countsUse: Bool

        public init(
            authorization: [String] = [], apiKey: [String] = [], method: String, path: String,
            address: IPAddress? = nil, agent: String? = nil, isPreflight: Bool = false,
            scopes: ScopeRequirement = .none, countsUse: Bool = true
        ) {
            self.authorization = authorization
            self.apiKey = apiKey
            self.method = method
            self.path = path
            self.address = address
            self.agent = agent
            self.isPreflight = isPreflight
            self.scopes = scopes
            self.countsUse = countsUse
        }
    }

    public enum Outcome: Sendable, Equatable {
        case admitted(Principal)
        /// Admitted without a key.
        case preflight
        /// `needing`: the scopes that the request needs.
        case refused(Refusal, needing: ScopeRequirement)
        case ambiguousCredentials
        case unavailable
    }

    public let verifier: KeyVerifier
    private let places: CredentialPlaces
    private let rules: ScopeRules
    private let passesPreflights: Bool
    private let time: TimeSource

    /// - Parameter rules: the scopes that requests need.
    public init(
        verifier: KeyVerifier, places: CredentialPlaces = [.authorization, .xAPIKey], rules: ScopeRules = ScopeRules(),
        passesPreflights: Bool = false, time: TimeSource = .system
    ) {
        self.verifier = verifier
        self.places = places
        self.rules = rules
        self.passesPreflights = passesPreflights
        self.time = time
    }

    /// Returns true if a request has at least one credential, valid or not.
    public func carriesCredential(_ request: Incoming) -> Bool {
        credential(of: request) != .none
    }

    private func credential(of request: Incoming) -> Credential<String> {
        Credential(authorization: request.authorization, apiKey: request.apiKey, places: places)
    }

    public func decide(_ request: Incoming) async -> Outcome {
        switch question(in: request) {
        case .answered(let outcome): return outcome
        case .token(let token, let needed):
            return outcome(await verify(token, for: request, needing: needed), needing: needed)
        }
    }

    /// Decides synchronously; returns nil if the database must be queried first.
    public func decideNow(_ request: Incoming) -> Outcome? {
        switch question(in: request) {
        case .answered(let outcome): return outcome
        case .token(let token, let needed):
            return verifyNow(token, for: request, needing: needed).map { outcome($0, needing: needed) }
        }
    }

    /// Decides about a token that a caller asks about, instead of a request's credential.
    /// - Returns: the decision, and the scopes that the request needs.
    public func decide(
        about token: String, for request: Incoming, caller: Admin
    ) async -> (decision: Decision, needed: ScopeRequirement) {
        do throws(Refusal) {
            let needed = try requirement(of: request)
            return (await verify(token, for: request, needing: needed, caller: caller), needed)
        } catch {
            return (refused(error), .none)
        }
    }

    /// Decides synchronously; returns nil if the database must be queried first.
    public func decideNow(
        about token: String, for request: Incoming, caller: Admin
    ) -> (decision: Decision, needed: ScopeRequirement)? {
        do throws(Refusal) {
            let needed = try requirement(of: request)
            return verifyNow(token, for: request, needing: needed, caller: caller).map { ($0, needed) }
        } catch {
            return (refused(error), .none)
        }
    }

    /// The state of a decision before the token is verified.
    private enum Question {
        case answered(Outcome)
        case token(String, needing: ScopeRequirement)
    }

    private func question(in request: Incoming) -> Question {
        if passesPreflights, request.isPreflight { return .answered(.preflight) }
        let needed: ScopeRequirement
        do throws(Refusal) {
            needed = try requirement(of: request)
        } catch {
            return .answered(outcome(refused(error), needing: .none))
        }
        switch credential(of: request) {
        case .ambiguous: return .answered(.ambiguousCredentials)
        case .none: return .answered(outcome(refused(.missing), needing: needed))
        case .token(let token): return .token(token, needing: needed)
        }
    }

    /// Returns the scopes that a request needs, by the rules and by itself.
    private func requirement(of request: Incoming) throws(Refusal) -> ScopeRequirement {
        try rules.requirement(method: request.method, path: request.path).union(request.scopes)
    }

    private func outcome(_ decision: Decision, needing needed: ScopeRequirement) -> Outcome {
        switch decision {
        case .admitted(let profile): .admitted(profile.principal)
        case .refused(let refusal, _): .refused(refusal, needing: needed)
        case .unavailable: .unavailable
        }
    }

    private func verify(
        _ token: String, for request: Incoming, needing needed: ScopeRequirement, caller: Admin? = nil
    ) async -> Decision {
        await verifier.verify(
            token, method: request.method, path: request.path, address: request.address, scopes: needed,
            agent: request.agent, countsUse: request.countsUse, caller: caller, time: time)
    }

    private func verifyNow(
        _ token: String, for request: Incoming, needing needed: ScopeRequirement, caller: Admin? = nil
    ) -> Decision? {
        let attempt = verifier.attempt(
            token, method: request.method, path: request.path, address: request.address, scopes: needed,
            agent: request.agent, countsUse: request.countsUse, caller: caller, time: time)
        guard case .decided(let decision) = attempt else { return nil }
        return decision
    }

    /// Counts a refusal that precedes the verification of a token.
    private func refused(_ refusal: Refusal) -> Decision {
        _ = verifier.refuse(refusal)
        return .refused(refusal, nil)
    }
}
