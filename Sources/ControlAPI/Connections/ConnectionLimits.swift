/// The limits and timeouts of the connections of a control listener.
public struct ConnectionLimits: Sendable, Equatable {
    /// The maximum number of open connections.
    public var total = 2_000
    /// The maximum number of open connections of one client address. IPv6 addresses count by their /64, which one host
    /// may own.
    public var perAddress = 500
    /// The timeout for the head of a request. It starts at the opening of the connection for the first request, and at
    /// the first byte of each later one.
    public var requestHead = Duration.seconds(10)
    /// The timeout for the body of a request, from the end of its head. Imports have a timeout of their own.
    public var requestBody = Duration.seconds(60)
    /// The timeout between two requests, and for a client that does not read a response.
    public var idle = Duration.seconds(60)

    public init() {}

    /// The number of excess connections that may exist until they are closed.
    static let overflow = 16

    /// The maximum number of file descriptors that the connections use.
    public var descriptors: Int { total + Self.overflow }
}
