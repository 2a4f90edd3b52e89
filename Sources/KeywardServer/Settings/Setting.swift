import AuthKeys

/// The settings of the server. The raw value is the name in a configuration file.
enum Setting: String, CaseIterable, Sendable {
    case databaseURL = "database_url"
    case listenDatabaseURL = "listen_database_url"
    case databaseWait = "database_wait"
    case adminKey = "admin_key"
    case adminKeyFile = "admin_key_file"
    case upstreamURL = "upstream_url"
    case routes = "routes"
    case upstreamCAFile = "upstream_ca_file"
    case gatewayAddress = "gateway_address"
    case certificateFile = "gateway_certificate_file"
    case keyFile = "gateway_key_file"
    case controlAddress = "control_address"
    case issuer = "issuer"
    case dataDirectory = "data_dir"
    case credentials = "credentials"
    case forwardCredentials = "forward_credentials"
    case passPreflights = "pass_preflights"
    case cutRevoked = "cut_revoked"
    case trustedProxies = "trusted_proxies"
    case require = "require"
    case usageInterval = "usage_interval"
    case keyDefaultLifetime = "key_default_lifetime"
    case keyMaxLifetime = "key_max_lifetime"
    case connectTimeout = "connect_timeout"
    case responseTimeout = "response_timeout"
    case idleTimeout = "idle_timeout"
    case tunnelIdleTimeout = "tunnel_idle_timeout"
    case keepAliveTimeout = "keep_alive_timeout"
    case requestHeadTimeout = "request_head_timeout"
    case upstreamIdleTimeout = "upstream_idle_timeout"
    case drainTimeout = "drain_timeout"
    case maxHeadBytes = "max_head_bytes"
    case maxTargetBytes = "max_target_bytes"
    case maxHeaders = "max_headers"
    case maxConnections = "max_connections"
    case maxRequests = "max_requests"
    case maxRequestsPerKey = "max_requests_per_key"
    case maxTunnels = "max_tunnels"
    case maxStreams = "max_streams"
    case maxUpstreamConnections = "max_upstream_connections"
    case minUploadBytes = "min_upload_bytes"
    case threads = "threads"
    case controlMaxConnections = "control_max_connections"
    case controlMaxConnectionsPerAddress = "control_max_connections_per_address"
    case controlRequestHeadTimeout = "control_request_head_timeout"
    case controlIdleTimeout = "control_idle_timeout"
    case maxStaleness = "max_staleness"
    case reconcileInterval = "reconcile_interval"
    case logLevel = "log_level"
    case logFormat = "log_format"

    /// The name of the environment variable.
    var environment: String { "KEYWARD_" + rawValue.uppercased() }

    /// The name of the flag; nil if the value is not allowed on the command line.
    var flag: String? {
        switch self {
        case .adminKey: nil
        case .upstreamURL: "--upstream"
        case .routes: "--route"
        case .gatewayAddress: "--gateway"
        case .controlAddress: "--control"
        default: "--" + rawValue.split(separator: "_").joined(separator: "-")
        }
    }

    /// The names of the environment variable and the flag, for error messages.
    var names: String { environment + (flag.map { " (\($0))" } ?? "") }

    /// The accepted values, for error messages.
    var takes: String {
        switch self {
        case .databaseURL, .listenDatabaseURL: "a libpq connection URI or keyword string"
        case .databaseWait: "a duration such as 30s or 2m, or 0"
        case .adminKey: BootstrapKey.rule
        case .adminKeyFile: "a file that holds \(BootstrapKey.rule)"
        case .upstreamURL: "http:// or https:// URLs with a host, such as http://127.0.0.1:3000, separated by commas"
        case .routes: "path prefixes with their upstreams, such as /v1=http://127.0.0.1:3000, separated by commas"
        case .upstreamCAFile: "a PEM file with the certificates of the authorities to trust for https:// upstreams"
        case .certificateFile: "a PEM file with the gateway's certificate chain, the gateway's own certificate first"
        case .keyFile: "a PEM file with the private key of the gateway's certificate"
        case .gatewayAddress, .controlAddress: "an address and a port, such as 127.0.0.1:8080 or [::1]:8080"
        case .issuer: "an http:// or https:// URL without query and fragment, such as https://keys.internal"
        case .dataDirectory: "a folder"
        case .credentials: "authorization, x-api-key, or both, separated by a comma"
        case .forwardCredentials, .passPreflights, .cutRevoked: "true or false"
        case .require:
            "rules such as 'GET /v1/documents/*=documents:read': a method or *, a path pattern and scopes (- for none), separated by commas"
        case .usageInterval: "a duration from 1s to 60s"
        case .keyDefaultLifetime, .keyMaxLifetime: "a duration such as 720h, longer than 0"
        case .trustedProxies: "networks such as 10.0.0.0/8 or 2001:db8::/32, or addresses, separated by commas"
        case .connectTimeout, .responseTimeout, .idleTimeout, .tunnelIdleTimeout, .keepAliveTimeout,
            .requestHeadTimeout,
            .upstreamIdleTimeout, .drainTimeout, .controlRequestHeadTimeout, .controlIdleTimeout:
            "a duration such as 10s, 250ms or 5m, longer than 0"
        case .maxHeadBytes: "a number of bytes from 1024 to 1048576"
        case .maxTargetBytes: "a number of bytes from 256 to 1048576"
        case .maxHeaders: "a number from 10 to 10000"
        case .maxConnections, .maxRequests, .maxRequestsPerKey: "a number from 1 to 1000000"
        case .maxStreams: "a number from 1 to 10000"
        case .maxUpstreamConnections, .maxTunnels: "a number from 1 to 65536, for each thread"
        case .minUploadBytes: "a number of bytes from 0 to 1048576"
        case .threads: "a number from 1 to 1024"
        case .reconcileInterval: "a duration from 1s to 24h"
        case .controlMaxConnections: "a number from 16 to 65536"
        case .controlMaxConnectionsPerAddress: "a number from 1 to 65536"
        case .maxStaleness: "a duration such as 1h, 30m, 10s, or 0"
        case .logLevel: "one of trace, debug, info, notice, warning, error, critical"
        case .logFormat: "json or text"
        }
    }
}

/// An error for a setting that cannot be used. The text is one line that names the setting and the accepted values. It
/// never shows a value that may be a secret.
struct SettingsError: Error, CustomStringConvertible {
    let description: String

    init(_ setting: Setting, _ problem: String? = nil) {
        self.init(message: "\(setting.names) takes \(setting.takes)" + (problem.map { ": \($0)" } ?? ""))
    }

    /// Creates an error for a setting with a valid value that cannot be applied.
    init(_ setting: Setting, cannot problem: String) {
        self.init(message: "\(setting.names): \(problem)")
    }

    /// Creates an error with a text in which each line break, such as one in a file name, becomes a space.
    init(message: String) {
        description = String(message.map { $0.isNewline ? " " : $0 })
    }
}
