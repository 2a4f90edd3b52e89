public import AuthKeys

/// Records decisions about requests, such as in a log. One recorder belongs to one entry point.
public protocol RequestRecorder: Sendable {
    /// - Parameters:
    ///   - status: the status of the response; nil if the entry point decides for another program, whose response is
    ///     unknown.
    ///   - began: the time at which the entry point got the request.
    func record(
        _ decision: RequestDecision, of request: IncomingRequest, id: RequestID, status: Int?, began: Timestamp)
}

/// A decision about a request, as it is recorded.
public struct RequestDecision: Sendable, Equatable {
    /// The status that the decision calls for.
    public let status: Int
    /// The code of a refusal; nil for an admitted request.
    public let code: String?
    /// The key, valid or not; nil if it is unknown, or belongs to an owner whose keys the caller may not see.
    public let key: Principal?
    public let isPreflight: Bool

    public init(_ outcome: RequestVerifier.Outcome<KeyProfile>) {
        switch outcome {
        case .preflight: self.init(status: 200, isPreflight: true)
        case .ambiguousCredentials: self.init(status: 400, code: ErrorText.ambiguous.code)
        case .verdict(.admitted(_, let profile), _): self.init(status: 200, key: profile.principal)
        case .verdict(.refused(let refusal, let profile), _):
            self.init(status: refusal.kind.status, code: refusal.code, key: profile?.principal)
        case .verdict(.unresolved, _), .verdict(.unavailable, _):
            self.init(status: 503, code: ErrorText.unavailable.code)
        }
    }

    public init(status: Int, code: String? = nil, key: Principal? = nil, isPreflight: Bool = false) {
        self.status = status
        self.code = code
        self.key = key
        self.isPreflight = isPreflight
    }
}
