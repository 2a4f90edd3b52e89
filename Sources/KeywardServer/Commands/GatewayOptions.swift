import ArgumentParser

/// The flags of the gateway's settings.
struct GatewayOptions: ParsableArguments {
    @Option(
        name: .customLong("upstream"),
        help: """
            The http:// or https:// URL to which the gateway forwards requests; repeat it to balance \
            between several (KEYWARD_UPSTREAM_URL, separated by commas). Default: a built-in echo.
            """)
    var upstreams: [String] = []

    @Option(
        name: .customLong("route"),
        help: """
            A path prefix and the upstream for requests below it, such as \
            /v1=http://127.0.0.1:3000; repeatable (KEYWARD_ROUTES).
            """)
    var routes: [String] = []

    @Option(
        name: .customLong("upstream-ca-file"),
        help: """
            PEM file of the certificate authorities to trust for https:// upstreams \
            (KEYWARD_UPSTREAM_CA_FILE). Default: those of the system.
            """,
        completion: .file())
    var upstreamCAFile: String?

    @Option(
        name: .customLong("gateway"),
        help: "The address of the gateway (KEYWARD_GATEWAY_ADDRESS). Default: 127.0.0.1:8080.")
    var address: String?

    @Option(
        name: .customLong("gateway-certificate-file"),
        help: """
            PEM file of the gateway's certificate chain. With it the gateway speaks HTTP/1.1 and HTTP/2 \
            over TLS. SIGHUP reloads it (KEYWARD_GATEWAY_CERTIFICATE_FILE).
            """,
        completion: .file())
    var certificateFile: String?

    @Option(
        name: .customLong("gateway-key-file"),
        help: "PEM file of the certificate's private key (KEYWARD_GATEWAY_KEY_FILE).",
        completion: .file())
    var keyFile: String?

    @Option(
        name: .customLong("credentials"),
        help: "The header fields that carry keys (KEYWARD_CREDENTIALS). Default: authorization,x-api-key.",
        completion: .list(["authorization", "x-api-key", "authorization,x-api-key"]))
    var credentials: String?

    @Flag(
        name: .customLong("forward-credentials"),
        help: "Forward credentials to the upstream (KEYWARD_FORWARD_CREDENTIALS).")
    var forwardCredentials = false

    @Option(
        name: .customLong("pass-preflights"),
        help: "Accept CORS preflights without a key: true or false (KEYWARD_PASS_PREFLIGHTS). Default: true.",
        completion: .booleans)
    var passPreflights: String?

    @Option(
        name: .customLong("cut-revoked"),
        help: """
            Cut the running requests and WebSockets of a key when it is revoked or expires: true or \
            false (KEYWARD_CUT_REVOKED). Default: true.
            """,
        completion: .booleans)
    var cutRevoked: String?

    @Option(
        name: .customLong("trusted-proxies"),
        help: """
            Networks of proxies whose X-Forwarded-For, -Proto and -Host are trusted \
            (KEYWARD_TRUSTED_PROXIES). Default: none.
            """)
    var trustedProxies: String?

    @Option(
        name: .customLong("require"),
        help: """
            The scopes that requests to a path need, such as 'GET /v1/documents/*=documents:read'; repeatable. \
            The first rule that matches applies (KEYWARD_REQUIRE).
            """)
    var require: [String] = []

    @Option(
        name: .customLong("connect-timeout"),
        help: "Timeout for connecting to an upstream (KEYWARD_CONNECT_TIMEOUT). Default: 5s.")
    var connectTimeout: String?

    @Option(
        name: .customLong("response-timeout"),
        help: """
            Timeout from the end of a request to the head of the upstream's response \
            (KEYWARD_RESPONSE_TIMEOUT). Default: 60s.
            """)
    var responseTimeout: String?

    @Option(
        name: .customLong("idle-timeout"),
        help: """
            Timeout between two chunks of a request's or a response's body (KEYWARD_IDLE_TIMEOUT). \
            Default: 60s.
            """)
    var idleTimeout: String?

    @Option(
        name: .customLong("tunnel-idle-timeout"),
        help: "Idle timeout of WebSockets (KEYWARD_TUNNEL_IDLE_TIMEOUT). Default: 1h.")
    var tunnelIdleTimeout: String?

    @Option(
        name: .customLong("keep-alive-timeout"),
        help: """
            Timeout for the next request on a client's connection (KEYWARD_KEEP_ALIVE_TIMEOUT). \
            Default: 75s.
            """)
    var keepAliveTimeout: String?

    @Option(
        name: .customLong("request-head-timeout"),
        help: """
            Timeout for the head of a request, and for a TLS handshake \
            (KEYWARD_REQUEST_HEAD_TIMEOUT). Default: 10s.
            """)
    var requestHeadTimeout: String?

    @Option(
        name: .customLong("upstream-idle-timeout"),
        help: """
            Time after which an unused connection to an upstream is closed \
            (KEYWARD_UPSTREAM_IDLE_TIMEOUT). Default: 55s.
            """)
    var upstreamIdleTimeout: String?

    @Option(
        name: .customLong("drain-timeout"),
        help: "Timeout for requests in flight at shutdown (KEYWARD_DRAIN_TIMEOUT). Default: 10s.")
    var drainTimeout: String?

    @Option(
        name: .customLong("max-head-bytes"),
        help: "Bytes of a request's head; more are refused with 431 (KEYWARD_MAX_HEAD_BYTES). Default: 32768.")
    var maxHeadBytes: String?

    @Option(
        name: .customLong("max-target-bytes"),
        help: "Bytes of a request's target; more are refused with 414 (KEYWARD_MAX_TARGET_BYTES). Default: 8192.")
    var maxTargetBytes: String?

    @Option(
        name: .customLong("max-headers"),
        help: "Header fields of a request; more are refused with 431 (KEYWARD_MAX_HEADERS). Default: 100.")
    var maxHeaders: String?

    @Option(
        name: .customLong("max-connections"),
        help: "Connections of clients; more are refused with 503 (KEYWARD_MAX_CONNECTIONS). Default: 10000.")
    var maxConnections: String?

    @Option(
        name: .customLong("max-requests"),
        help: "Requests in flight; more are refused with 503 (KEYWARD_MAX_REQUESTS). Default: 10000.")
    var maxRequests: String?

    @Option(
        name: .customLong("max-requests-per-key"),
        help: """
            Requests in flight and WebSockets of one key; more are refused with 429 \
            (KEYWARD_MAX_REQUESTS_PER_KEY). Default: 1024.
            """)
    var maxRequestsPerKey: String?

    @Option(
        name: .customLong("max-tunnels"),
        help: "WebSockets per thread (KEYWARD_MAX_TUNNELS). Default: 1024.")
    var maxTunnels: String?

    @Option(
        name: .customLong("max-streams"),
        help: "Concurrent streams per HTTP/2 connection (KEYWARD_MAX_STREAMS). Default: 100.")
    var maxStreams: String?

    @Option(
        name: .customLong("max-upstream-connections"),
        help: """
            Connections to each upstream per thread, WebSockets not counted \
            (KEYWARD_MAX_UPSTREAM_CONNECTIONS). Default: 1024.
            """)
    var maxUpstreamConnections: String?

    @Option(
        name: .customLong("min-upload-bytes"),
        help: """
            Bytes of a request's body that must arrive within the idle timeout until the response \
            begins; 0 turns the check off (KEYWARD_MIN_UPLOAD_BYTES). Default: 1024.
            """)
    var minUploadBytes: String?

    @Option(
        name: .customLong("threads"),
        help: "Threads of the gateway (KEYWARD_THREADS). Default: the cores that this process may use.")
    var threads: String?

    /// The values of the flags that were given, by setting.
    var values: [Setting: String] {
        let options: [Setting: String?] = [
            .upstreamURL: upstreams.isEmpty ? nil : upstreams.joined(separator: ","),
            .routes: routes.isEmpty ? nil : routes.joined(separator: ","),
            .upstreamCAFile: upstreamCAFile,
            .gatewayAddress: address,
            .certificateFile: certificateFile,
            .keyFile: keyFile,
            .credentials: credentials,
            .forwardCredentials: forwardCredentials ? "true" : nil,
            .passPreflights: passPreflights,
            .cutRevoked: cutRevoked,
            .trustedProxies: trustedProxies,
            .require: require.isEmpty ? nil : require.joined(separator: ","),
            .connectTimeout: connectTimeout,
            .responseTimeout: responseTimeout,
            .idleTimeout: idleTimeout,
            .tunnelIdleTimeout: tunnelIdleTimeout,
            .keepAliveTimeout: keepAliveTimeout,
            .requestHeadTimeout: requestHeadTimeout,
            .upstreamIdleTimeout: upstreamIdleTimeout,
            .drainTimeout: drainTimeout,
            .maxHeadBytes: maxHeadBytes,
            .maxTargetBytes: maxTargetBytes,
            .maxHeaders: maxHeaders,
            .maxConnections: maxConnections,
            .maxRequests: maxRequests,
            .maxRequestsPerKey: maxRequestsPerKey,
            .maxTunnels: maxTunnels,
            .maxStreams: maxStreams,
            .maxUpstreamConnections: maxUpstreamConnections,
            .minUploadBytes: minUploadBytes,
            .threads: threads,
        ]
        return options.compactMapValues(\.self)
    }
}
