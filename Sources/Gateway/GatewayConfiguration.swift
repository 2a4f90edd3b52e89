public import AuthKeys

/// How the gateway listens, where it sends requests, and what it puts up with.
public struct GatewayConfiguration: Sendable {
    /// How long the gateway waits. None of these bounds a whole exchange: a stream may go on for days.
    public struct Timeouts: Sendable {
        /// For a connection to the upstream, or for one to become free.
        public var connect: Duration = .seconds(5)
        /// From the end of the request to the head of the response.
        public var responseHead: Duration = .seconds(60)
        /// Between two pieces of a body, in either direction.
        public var idle: Duration = .seconds(60)
        /// For the next request on a client's connection.
        public var keepAlive: Duration = .seconds(75)
        /// For the whole of a request's head, from its first byte.
        public var requestHead: Duration = .seconds(10)
        /// Between two pieces of what a tunnel (WebSocket) carries, in either direction.
        public var tunnelIdle: Duration = .seconds(3_600)
        /// For a kept connection to the upstream that serves nobody.
        public var upstreamIdle: Duration = .seconds(55)
        /// For the exchanges under way when the gateway shuts down.
        public var drain: Duration = .seconds(10)

        public init() {}
    }

    /// How much the gateway takes.
    public struct Limits: Sendable {
        /// Bytes of a message head; 431 beyond.
        public var headBytes = 32_768
        /// Bytes of a request target; 414 beyond.
        public var targetBytes = 8_192
        /// Fields of a head; 431 beyond.
        public var fieldCount = 100
        /// Connections of clients; 503 beyond, and beyond an eighth more closed unanswered.
        public var connections = 10_000
        /// Bytes of a request's body that have to come within the idle time, until the response begins. 0 asks for none.
        public var uploadBytesPerIdleTime = 1_024
        /// Streams at a time on one HTTP/2 connection.
        public var streamsPerConnection = 100
        /// Requests under way; 503 beyond.
        public var requestsInFlight = 10_000
        /// Requests and tunnels under way of one key, over all event loops; 429 beyond.
        public var requestsPerKey = 1_024
        /// Tunnels (WebSockets), for each event loop. One key gets no more of them than are left for others; 429 beyond.
        public var tunnelsPerLoop = 1_024
        /// Connections to the upstream, for each event loop, without those that carry tunnels. One key gets no more of them than
        /// are left for others. Requests beyond wait for one as long as a connect may take.
        public var upstreamConnectionsPerLoop = 1_024

        public init() {}

        /// The file descriptors that connections of clients take at most: an eighth more than the limit get a 503, and
        /// a few are being closed.
        public var clientDescriptors: Int { connections + connections / 8 + Self.overflow }

        /// Connections that are accepted only to be closed.
        public static let overflow = 8
    }

    /// The name or the address to listen on.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 for any that is free.
    public var port = 8080
    /// Where requests go: the route with the longest prefix that fits. 404 where none does.
    public var routes: [Route]
    /// What the gateway trusts when it speaks TLS to an upstream.
    public var upstreamTrust = UpstreamTrust.system
    /// The gateway's own certificate; nil to listen without TLS.
    public var certificate: CertificateFiles?
    /// Peers whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    public var trustedProxies: [IPNetwork] = []
    /// Cuts what runs for a key within a second of its end: exchanges, streams, tunnels.
    public var cutsRevoked = true
    public var credentials: CredentialPlaces = [.authorization, .xAPIKey]
    /// Leaves the credentials in the request that the upstream gets.
    public var forwardsCredentials = false
    /// Lets CORS preflights pass without a key.
    public var passesPreflights = true
    /// What requests need, by method and path.
    public var scopes = ScopeRules()
    public var timeouts = Timeouts()
    public var limits = Limits()
    /// Event loops, each a thread; at least 1.
    public var threads = 1

    public init(routes: [Route]) {
        self.routes = routes
    }

    /// Everything goes to one upstream.
    public init(upstream: Upstream) {
        self.init(routes: [Route(upstreams: [upstream])])
    }
}
