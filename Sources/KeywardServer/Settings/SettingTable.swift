import AuthKeys
import Gateway
import HTTPCredentials
import KeyAdministration
import Logging
import RequestLog

/// The settings of the server, one line each, in the order of `keyward serve --help`.
///
/// The environment variable, the flag with its help, the member of a configuration file and the text of errors come
/// from a line. A test compares the lines with docs/settings.md.
struct SettingTable: Sendable {
    // MARK: The server
    let databaseURL = Setting(
        .server, "database_url", .text("a libpq connection URI or keyword string"),
        unset: "a private PostgreSQL in the data folder", isSecret: true,
        "The libpq URI or keyword string of the database")
    let listenDatabaseURL = Setting(
        .server, "listen_database_url", .text("a libpq connection URI or keyword string"), unset: "the database URL",
        isSecret: true, "The direct address of PostgreSQL, if --database-url leads to a transaction pooler")
    let databaseWait = Setting(
        .server, "database_wait", .duration(such: "30s or 2m", orZero: true), default: "30s",
        "Timeout for reaching the database at start")
    let adminKey = Setting(
        nil, "admin_key", .text(BootstrapKey.rule), unset: "generated for a private PostgreSQL", isSecret: true,
        "The admin key")
    let adminKeyFile = Setting(
        .server, "admin_key_file", .file("a file that holds \(BootstrapKey.rule)"),
        unset: "the key in KEYWARD_ADMIN_KEY", "A file that holds the admin key of at least 32 characters")
    let controlAddress = Setting(
        .server, "control_address", flag: "--control", .address, default: "127.0.0.1:9090",
        "The address of the listener for administration, health and metrics")
    let instanceName = Setting(
        .server, "instance_name", .text(InstanceName.rule), unset: "the host name and the port of the gateway",
        "The name of this instance for operators, the same after a restart, 1 to 64 characters")
    let issuer = Setting(
        .server, "issuer",
        .text("an http:// or https:// URL without query and fragment, such as https://keys.internal"),
        unset: "the URL of its address", "The URL of the control listener for clients of introspection")
    let dataDirectory = Setting(.server, "data_dir", .folder, default: ".keyward", "The data folder of Keyward")
    let maxStaleness = Setting(
        .server, "max_staleness", .duration(such: "1h, 30m, 10s", orZero: true), default: "1h",
        "The time for which keys stay valid while the database cannot be read")
    let reconcileInterval = Setting(
        .server, "reconcile_interval", .interval(.seconds(1) ... .seconds(86_400)), default: "10m",
        "The time in which all keys in memory are compared with the database once, 1s to 24h")
    let usageInterval = Setting(
        .server, "usage_interval", .interval(.seconds(1) ... .seconds(60)), default: "30s",
        "The interval of writing usage counts to the database, 1s to 60s")
    let limits = Setting(
        .server, "limits",
        .text(
            "enforce, report (refuse nothing) or off (neither evaluated nor spent)",
            suggestions: LimitOptions.Mode.allCases.map(\.rawValue)),
        default: "enforce", "The effect of the limits and credits of keys: enforce, report or off")
    let limitsAway = Setting(
        .server, "limits_away",
        .text(
            "share (of each limit), open (refuse nothing) or closed",
            suggestions: LimitOptions.Away.allCases.map(\.rawValue)),
        default: "share", "The effect of limits while the database is away: share, open or closed")
    let creditsFirstUse = Setting(
        .server, "credits_first_use",
        .text(
            "trust (admit it, and debit it at once) or wait (for leased credits)",
            suggestions: LimitOptions.FirstUse.allCases.map(\.rawValue)),
        default: "trust", "The first request of a key whose credits this instance does not know: trust or wait")
    let limitsRows = Setting(
        .server, "limits_rows", .number(100...1_000_000), default: "5000",
        "Rows of limits that this instance writes in a second at most")
    let limitsCells = Setting(
        .server, "limits_cells", .number(1_000...100_000_000), default: "200000",
        "Limits that this instance keeps in memory at most")
    let keyDefaultLifetime = Setting(
        .server, "key_default_lifetime", .duration(such: "720h"), unset: "the maximum, or no limit",
        "The lifetime of keys that are created without an expiry")
    let keyMaxLifetime = Setting(
        .server, "key_max_lifetime", .duration(such: "720h"), unset: "no limit", "The longest lifetime of a key")
    let failedAttempts = Setting(
        .server, "failed_attempts",
        .text("attempts in a time from 1s to 24h, such as 60/1m, or off", suggestions: ["60/1m", "off"]),
        default: "60/1m", "Invalid keys that a client network may send before it gets 429, such as 60/1m, or off")
    let logLevel = Setting(
        .server, "log_level",
        .text(
            "one of trace, debug, info, notice, warning, error, critical",
            suggestions: Logger.Level.allCases.map(\.rawValue)), default: "info",
        "The log level: trace, debug, info, notice, warning, error or critical")
    let logFormat = Setting(
        .server, "log_format", .text("json or text", suggestions: ["json", "text"]),
        unset: "text on a terminal, else json", "The log format: json or text")

    // MARK: The gateway
    let upstreamURL = Setting(
        .gateway, "upstream_url", flag: "--upstream",
        .list(of: "http:// or https:// URLs with a host, such as http://127.0.0.1:3000"), unset: "a built-in echo",
        "The http:// or https:// URL to which the gateway forwards requests; repeat it to balance between several")
    let routes = Setting(
        .gateway, "routes", flag: "--route",
        .list(of: "path prefixes with their upstreams, such as /v1=http://127.0.0.1:3000"),
        "A path prefix and the upstream for requests below it, such as /v1=http://127.0.0.1:3000; repeatable")
    let upstreamCAFile = Setting(
        .gateway, "upstream_ca_file",
        .file("a PEM file with the certificates of the authorities to trust for https:// upstreams"),
        unset: "those of the system", "PEM file of the certificate authorities to trust for https:// upstreams")
    let gatewayAddress = Setting(
        .gateway, "gateway_address", flag: "--gateway", .address, default: "127.0.0.1:8080",
        "The address of the gateway")
    let certificateFile = Setting(
        .gateway, "gateway_certificate_file",
        .file("a PEM file with the gateway's certificate chain, the gateway's own certificate first"),
        """
        PEM file of the gateway's certificate chain. With it the gateway speaks HTTP/1.1 and HTTP/2 over TLS. \
        SIGHUP reloads it
        """)
    let keyFile = Setting(
        .gateway, "gateway_key_file", .file("a PEM file with the private key of the gateway's certificate"),
        "PEM file of the certificate's private key")
    let credentials = Setting(
        .gateway, "credentials",
        .text(
            "authorization, x-api-key, or both, separated by a comma",
            suggestions: ["authorization", "x-api-key", "authorization,x-api-key"]),
        default: "authorization,x-api-key", "The header fields that carry keys")
    let forwardCredentials = Setting(
        .gateway, "forward_credentials", .boolean, default: "false", "Forward credentials to the upstream")
    let passPreflights = Setting(
        .gateway, "pass_preflights", .boolean, default: "true", "Accept CORS preflights without a key: true or false")
    let cutRevoked = Setting(
        .gateway, "cut_revoked", .boolean, default: "true",
        "Cut the running requests and WebSockets of a key when it is revoked or expires: true or false")
    let trustedProxies = Setting(
        .gateway, "trusted_proxies",
        .text("networks such as 10.0.0.0/8 or 2001:db8::/32, or addresses, separated by commas"), unset: "none",
        "Networks of proxies whose X-Forwarded-For, -Proto and -Host are trusted")
    let require = Setting(
        .gateway, "require",
        .list(
            of: """
                rules such as 'GET /v1/documents/*=documents:read': a method or *, a path pattern and scopes \
                (- for none)
                """),
        """
        The scopes that requests to a path need, such as 'GET /v1/documents/*=documents:read'; repeatable. \
        The first rule that matches applies
        """)
    let cost = Setting(
        .gateway, "cost",
        .list(
            of: """
                rules such as 'POST /v1/images/**=10': a method or *, a path pattern and a cost from 0 to \
                \(CostRules.Rule.limit)
                """),
        """
        The units that requests take from the limits of their key, such as 'POST /v1/images/**=10'; repeatable. \
        The first rule that matches applies, otherwise 1
        """)
    let costHeader = Setting(
        .gateway, "cost_header", .text(CostField.rule),
        "The response field or trailer in which the upstream states the actual cost. Clients do not get it")
    let costUsage = Setting(
        .gateway, "cost_usage", .text(UsageMember.rule),
        "The member of usage in JSON responses and event streams that is the actual cost, such as total_tokens")
    let limitHeaders = Setting(
        .gateway, "limit_headers",
        .text(
            "always, limited (with a 429 alone) or never", suggestions: LimitFieldMode.allCases.map(\.rawValue)),
        default: "always",
        "The responses that state the limits of the key in RateLimit and RateLimit-Policy: always, limited or never")
    let selfPath = Setting(
        .gateway, "self_path", .text(SelfPath.rule), unset: "no path",
        "The path at which holders of keys ask about their keys, such as /.well-known/api-key")
    let connectTimeout = Setting(
        .gateway, "connect_timeout", .timeout, default: "5s", "Timeout for connecting to an upstream")
    let responseTimeout = Setting(
        .gateway, "response_timeout", .timeout, default: "60s",
        "Timeout from the end of a request to the head of the upstream's response")
    let idleTimeout = Setting(
        .gateway, "idle_timeout", .timeout, default: "60s",
        "Timeout between two chunks of a request's or a response's body")
    let tunnelIdleTimeout = Setting(
        .gateway, "tunnel_idle_timeout", .timeout, default: "1h", "Idle timeout of WebSockets")
    let keepAliveTimeout = Setting(
        .gateway, "keep_alive_timeout", .timeout, default: "75s",
        "Timeout for the next request on a client's connection")
    let requestHeadTimeout = Setting(
        .gateway, "request_head_timeout", .timeout, default: "10s",
        "Timeout for the head of a request, and for a TLS handshake")
    let upstreamIdleTimeout = Setting(
        .gateway, "upstream_idle_timeout", .timeout, default: "55s",
        "Time after which an unused connection to an upstream is closed")
    let drainTimeout = Setting(
        .gateway, "drain_timeout", .timeout, default: "10s", "Timeout for requests in flight at shutdown")
    let maxHeadBytes = Setting(
        .gateway, "max_head_bytes", .bytes(1_024...1_048_576), default: "32768",
        "Bytes of a request's head; more are refused with 431")
    let maxTargetBytes = Setting(
        .gateway, "max_target_bytes", .bytes(256...1_048_576), default: "8192",
        "Bytes of a request's target; more are refused with 414")
    let maxHeaders = Setting(
        .gateway, "max_headers", .number(10...10_000), default: "100",
        "Header fields of a request; more are refused with 431")
    let maxConnections = Setting(
        .gateway, "max_connections", .number(1...1_000_000), default: "10000",
        "Connections of clients; more are refused with 503")
    let maxRequests = Setting(
        .gateway, "max_requests", .number(1...1_000_000), default: "10000",
        "Requests in flight; more are refused with 503")
    let maxRequestsPerKey = Setting(
        .gateway, "max_requests_per_key", .number(1...1_000_000), default: "1024",
        "Requests in flight and WebSockets of one key; more are refused with 429")
    let maxTunnels = Setting(
        .gateway, "max_tunnels", .perThread(1...65_536), default: "1024", "WebSockets per thread")
    let maxStreams = Setting(
        .gateway, "max_streams", .number(1...10_000), default: "100", "Concurrent streams per HTTP/2 connection")
    let maxUpstreamConnections = Setting(
        .gateway, "max_upstream_connections", .perThread(1...65_536), default: "1024",
        "Connections to each upstream per thread, WebSockets not counted")
    let minUploadBytes = Setting(
        .gateway, "min_upload_bytes", .bytes(0...1_048_576), default: "1024",
        """
        Bytes of a request's body that must arrive within the idle timeout until the response begins; \
        0 turns the check off
        """)
    let threads = Setting(
        .gateway, "threads", .number(1...1_024), unset: "the cores that this process may use", "Threads of the gateway")

    // MARK: The control listener
    let controlMaxConnections = Setting(
        .control, "control_max_connections", .number(DescriptorBudget.fewestControlConnections...65_536),
        default: "2000",
        """
        Connections at a time. A new one beyond the limit closes the connection that is idle longest, \
        except those of admins
        """)
    let controlMaxConnectionsPerAddress = Setting(
        .control, "control_max_connections_per_address", .number(1...65_536), default: "500",
        "Connections at a time of one client address, or of one IPv6 /64")
    let controlRequestHeadTimeout = Setting(
        .control, "control_request_head_timeout", .timeout, default: "10s", "Timeout for the head of a request")
    let controlIdleTimeout = Setting(
        .control, "control_idle_timeout", .timeout, default: "60s",
        "Timeout for the next request on a connection, and for a response that the client does not read")

    // MARK: The request log
    let requestLog = Setting(
        .requestLog, "request_log",
        .text(
            "on, off (roll-ups alone) or none (neither)", suggestions: RequestLogSettings.Mode.allCases.map(\.rawValue)),
        default: "on", "The log of requests in the database: on, off (roll-ups alone) or none (neither)")
    let requestLogDays = Setting(
        .requestLog, "request_log_days", .number(0...3_650), default: "7",
        "Days for which lines are kept; 0 for no limit")
    let requestLogBytes = Setting(
        .requestLog, "request_log_bytes", .size(100_000_000...1_000_000_000_000_000, orZero: true), default: "20GB",
        "Size of the log in the database, beyond which the oldest days are deleted; 0 for no limit")
    let requestLogBuffer = Setting(
        .requestLog, "request_log_buffer", .size(1 << 20...1 << 34), default: "64MiB",
        "Memory for lines that are not written yet; lines are sampled from a half of it on")
    let requestLogSample = Setting(
        .requestLog, "request_log_sample", .text("a number from 0 to 1"), default: "1",
        "The part of admitted requests that get a line, 0 to 1")
    let requestLogSkip = Setting(
        .requestLog, "request_log_skip",
        .list(of: "requests such as 'GET /health' or '* /static/**': a method or *, and a path pattern"),
        "Requests without a line, such as 'GET /health' or '* /static/**'; repeatable")
    let requestLogQuery = Setting(
        .requestLog, "request_log_query",
        .text("none, names (without values) or full", suggestions: LogPrivacy.Queries.allCases.map(\.rawValue)),
        default: "none", "The part of queries that lines keep: none, names (without values) or full")
    let requestLogAddress = Setting(
        .requestLog, "request_log_address",
        .text(
            "full, network (/24 of IPv4, /48 of IPv6) or none",
            suggestions: LogPrivacy.Addresses.allCases.map(\.rawValue)), default: "full",
        "The part of client addresses that lines keep: full, network (/24 of IPv4, /48 of IPv6) or none")
    let requestLogWriters = Setting(
        .requestLog, "request_log_writers", .number(1...4), default: "1",
        "Connections that write lines; more than one does not keep their order")
    let accessLog = Setting(
        .requestLog, "access_log", .text("a file, or - for standard output"), unset: "no access log",
        "A file that gets a JSON line for each request, or - for standard output; reopened on SIGUSR1")
}
