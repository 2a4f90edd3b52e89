public import AuthKeys
public import HTTPCredentials

/// The settings of the gateway: its listener, its routes and its limits.
public struct GatewayConfiguration: Sendable {
    /// The timeouts of the gateway. None of these limits a whole exchange: a stream may go on for days.
    public struct Timeouts: Sendable {
        /// The time until a connection to the upstream opens, or one becomes free.
        public var connect: Duration = .seconds(5)
        /// The time from the end of the request to the head of the response.
        public var responseHead: Duration = .seconds(60)
        /// The time between two chunks of a body, in either direction.
        public var idle: Duration = .seconds(60)
        /// The time until the next request on a client's connection.
        public var keepAlive: Duration = .seconds(75)
        /// The time for a whole request head, from its first byte.
        public var requestHead: Duration = .seconds(10)
        /// The time between two chunks in a tunnel (WebSocket), in either direction.
        public var tunnelIdle: Duration = .seconds(3_600)
        /// The time for which an unused connection to the upstream is kept.
        public var upstreamIdle: Duration = .seconds(55)
        /// The time that running exchanges have to end when the gateway shuts down.
        public var drain: Duration = .seconds(10)

        public init() {}
    }

    /// The limits of the gateway.
    public struct Limits: Sendable {
        /// Bytes of a message head; 431 beyond.
        public var headBytes = 32_768
        /// Bytes of a request target; 414 beyond.
        public var targetBytes = 8_192
        /// Fields of a head; 431 beyond.
        public var fieldCount = 100
        /// Connections of clients. Connections beyond get a 503; those beyond an eighth more are closed without a
        /// response.
        public var connections = 10_000
        /// Bytes of a request's body that must arrive within the idle timeout, until the response begins. 0 requires
        /// none.
        public var uploadBytesPerIdleTime = 1_024
        /// Concurrent streams on one HTTP/2 connection.
        public var streamsPerConnection = 100
        /// Requests in flight; 503 beyond.
        public var requestsInFlight = 10_000
        /// Requests and tunnels in flight of one key, over all event loops; 429 beyond.
        public var requestsPerKey = 1_024
        /// Tunnels (WebSockets) of each event loop. One key gets no more of them than are left for others; 429 beyond.
        public var tunnelsPerLoop = 1_024
        /// Connections to the upstream of each event loop, without those that carry tunnels. One key gets no more of
        /// them than are left for others. Further requests wait for a connection until the connect timeout.
        public var upstreamConnectionsPerLoop = 1_024

        public init() {}

        /// The maximum number of file descriptors that connections of clients use. An eighth more than the limit get a
        /// 503, and a few more are being closed.
        public var clientDescriptors: Int { connections + connections / 8 + Self.overflow }

        /// Connections that are accepted only to be closed.
        public static let overflow = 8
    }

    /// The name or the address to listen on.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 for any free port.
    public var port = 8080
    /// The routes of requests. The route with the longest matching prefix applies; 404 if none matches.
    public var routes: [Route]
    /// The certificates that the gateway trusts when it connects to an upstream with TLS.
    public var upstreamTrust = UpstreamTrust.system
    /// The gateway's own certificate; nil to listen without TLS.
    public var certificate: CertificateFiles?
    /// Peers whose `X-Forwarded-For`, `-Proto` and `-Host` are trusted.
    public var trustedProxies: [IPNetwork] = []
    /// Ends exchanges, streams and tunnels within a second after their key becomes invalid.
    public var cutsRevoked = true
    public var credentials: CredentialPlaces = [.authorization, .xAPIKey]
    /// Leaves the credentials in the request that the upstream gets.
    public var forwardsCredentials = false
    /// Lets CORS preflights pass without a key.
    public var passesPreflights = true
    /// The scopes that requests need, by method and path.
    public var scopes = ScopeRules()
    /// The costs of requests, by method and path.
    public var costs = CostRules()
    /// The response field that states the actual cost; nil for none.
    public var costField: CostField?
    /// The member of a response's usage that states the actual cost; nil for none.
    public var costUsage: UsageMember?
    /// The responses that state the limits of the request's key.
    public var limitFields = LimitFieldMode.always
    /// The path at which holders ask about their keys; nil for none.
    public var selfPath: SelfPath?
    public var timeouts = Timeouts()
    public var limits = Limits()
    /// The number of event loops, each with its own thread; at least 1.
    public var threads = 1

    public init(routes: [Route]) {
        self.routes = routes
    }
}
