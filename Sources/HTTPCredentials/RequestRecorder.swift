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

    public init(status: Int, code: String? = nil, key: Principal? = nil, isPreflight: Bool = false) {
        self.status = status
        self.code = code
        self.key = key
        self.isPreflight = isPreflight
    }
}
