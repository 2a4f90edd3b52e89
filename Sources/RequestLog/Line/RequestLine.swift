public import AuthKeys
public import HTTPCredentials

/// One request for the log. The texts are borrowed: a line is valid only during the call that it is passed to.
///
/// It holds no header and no body. Its texts may hold secrets until `LogPrivacy` has cleaned the line.
public struct RequestLine {
    /// The time at which the head of the request had arrived.
    public var at: Timestamp
    public var id: RequestID
    public var surface: RequestSurface
    public var outcome: RequestOutcome
    /// The status of the response; 499 if the client left before it, 0 if none was sent.
    public var status: UInt16
    /// The reason for an outcome other than `allowed`, as in error bodies.
    public var code: String?
    /// The key that the request presented, valid or not; nil if it is unknown.
    public var keyID: KeyID?
    public var flags: RequestFlags = []
    /// The number of requests that the line stands for, itself included, because sampling omitted the others.
    public var weight: UInt32 = 1
    /// The time from the head of the request to the end of the response.
    public var microseconds: Int64 = 0
    /// The time from sending the request to the upstream to the head of its response; nil without a response.
    public var upstreamMicroseconds: Int32?
    /// The bytes of the request's body and of the response's body.
    public var bytesIn: Int64 = 0
    public var bytesOut: Int64 = 0
    /// The number of the upstream's name in `UpstreamNames`; 0 if no upstream was chosen.
    public var upstream: UInt16 = 0
    public var address: IPAddress?
    public var method = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The path as the client sent it, without the query.
    public var path = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The query without `?`; empty unless the log keeps queries.
    public var query = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The name of the client's program (`AgentName`).
    public var agent = UnsafeRawBufferPointer(start: nil, count: 0)
    public var owner = UnsafeRawBufferPointer(start: nil, count: 0)

    /// Sets path and query from a request target.
    public mutating func setTarget(_ target: UnsafeRawBufferPointer) {
        let mark = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        path = UnsafeRawBufferPointer(rebasing: target[..<mark])
        query = UnsafeRawBufferPointer(rebasing: target.dropFirst(mark + 1))
    }

    /// The code of a line that stands for requests whose lines were lost; its weight is their number.
    public static let gapCode = "log_gap"

    public init(
        at: Timestamp, id: RequestID, surface: RequestSurface, outcome: RequestOutcome, status: UInt16,
        code: String? = nil, keyID: KeyID? = nil
    ) {
        self.at = at
        self.id = id
        self.surface = surface
        self.outcome = outcome
        self.status = status
        self.code = code
        self.keyID = keyID
    }
}
