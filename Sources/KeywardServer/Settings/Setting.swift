/// Every setting there is. The raw value is its name in a configuration file.
enum Setting: String, CaseIterable, Sendable {
    case databaseURL = "database_url"
    case listenDatabaseURL = "listen_database_url"
    case databaseWait = "database_wait"
    case adminKey = "admin_key"
    case adminKeyFile = "admin_key_file"
    case upstreamURL = "upstream_url"
    case gatewayAddress = "gateway_address"
    case controlAddress = "control_address"
    case dataDirectory = "data_dir"
    case credentials = "credentials"
    case forwardCredentials = "forward_credentials"
    case threads = "threads"
    case maxStaleness = "max_staleness"
    case logLevel = "log_level"
    case logFormat = "log_format"

    /// Its name in the environment.
    var environment: String { "KEYWARD_" + rawValue.uppercased() }

    /// Its name on the command line; nil where a value must not stand there.
    var flag: String? {
        switch self {
        case .adminKey: nil
        case .upstreamURL: "--upstream"
        case .gatewayAddress: "--gateway"
        case .controlAddress: "--control"
        default: "--" + rawValue.split(separator: "_").joined(separator: "-")
        }
    }

    /// What it takes, for error messages.
    var takes: String {
        switch self {
        case .databaseURL, .listenDatabaseURL: "a libpq connection URI or keyword string"
        case .databaseWait: "a duration such as 30s or 2m: how long to wait for the database at start"
        case .adminKey: "at least 32 characters"
        case .adminKeyFile: "a file that holds at least 32 characters"
        case .upstreamURL: "one http:// URL with a host, such as http://127.0.0.1:3000"
        case .gatewayAddress, .controlAddress: "an address and a port, such as 127.0.0.1:8080 or [::1]:8080"
        case .dataDirectory: "a folder"
        case .credentials: "authorization, x-api-key, or both, separated by a comma"
        case .forwardCredentials: "true or false"
        case .threads: "a number from 1 to 1024"
        case .maxStaleness: "a duration such as 1h, 30m, 10s, or 0"
        case .logLevel: "one of trace, debug, info, notice, warning, error, critical"
        case .logFormat: "json or text"
        }
    }
}

/// A setting that cannot be used. One line, which names the setting and what it takes, and never shows a value that may be a
/// secret.
struct SettingsError: Error, CustomStringConvertible {
    let description: String

    init(_ setting: Setting, _ problem: String? = nil) {
        let names =
            [setting.environment, setting.flag].compactMap(\.self).joined(separator: " (")
            + (setting.flag == nil ? "" : ")")
        description = "\(names) takes \(setting.takes)" + (problem.map { ": \($0)" } ?? "")
    }

    init(message: String) {
        description = message
    }
}
