/// How a key was used, as far as it was written down: what running instances have counted since is on its way.
public struct KeyUsage: Sendable, Equatable {
    /// Nil for never.
    public let lastUsedAt: Timestamp?
    /// Where the last request came from.
    public let lastAddress: String?
    /// What sent it: the name of a program or a browser.
    public let lastAgent: String?
    /// Requests that were let in.
    public let requests: Int64

    public init(
        lastUsedAt: Timestamp? = nil, lastAddress: String? = nil, lastAgent: String? = nil, requests: Int64 = 0
    ) {
        self.lastUsedAt = lastUsedAt
        self.lastAddress = lastAddress
        self.lastAgent = lastAgent
        self.requests = requests
    }
}
