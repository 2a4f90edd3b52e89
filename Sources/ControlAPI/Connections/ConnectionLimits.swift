/// The limits and timeouts of the connections of a control listener.
public struct ConnectionLimits: Sendable, Equatable {
    /// Connections at a time.
    public var total = 2_000
    /// Connections at a time of one client address. IPv6 addresses count by their /64, which one host may own.
    public var perAddress = 500
    /// The time for the head of a request: from its first byte, for the first one from the opening of the connection.
    public var requestHead = Duration.seconds(10)
    /// The time for the body of a request, from the end of its head. Imports have a timeout of their own.
    public var requestBody = Duration.seconds(60)
    /// The time between two requests, and the time for which a client may leave a response unread.
    public var idle = Duration.seconds(60)

    public init() {}

    /// Connections that may be open for the moment until they are closed, because they are too many.
    static let overflow = 16

    /// The file descriptors that the connections take at most.
    public var descriptors: Int { total + Self.overflow }
}
