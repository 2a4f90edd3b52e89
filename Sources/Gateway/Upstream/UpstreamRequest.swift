import HTTPCredentials

/// A request that needs an upstream connection.
struct UpstreamRequest: Identifiable {
    let id: RequestID
    /// The account that the connection counts against.
    let account: Account
    /// The client's side, which gets the connection.
    let downstream: any Downstream
    var targets: TriedTargets

    var isWaiting: Bool { downstream.isWaiting(id) }
}

/// The targets of a group that were tried for one request, by number.
struct TriedTargets {
    /// A bit for each target.
    private(set) var bits: UInt64 = 0
    /// The target that the request was last sent to.
    private(set) var last: Int?

    mutating func insert(_ target: Int) {
        bits |= 1 << UInt64(target)
        last = target
    }
}
