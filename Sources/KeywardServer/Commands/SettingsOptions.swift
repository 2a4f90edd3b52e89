import ArgumentParser
import FoundationEssentials
import Logging

/// The flags of the server's settings. Each setting is also an environment variable and a member of the configuration
/// file.
struct SettingsOptions: ParsableArguments {
    @Option(
        help: "A JSON file of settings (KEYWARD_CONFIG). Flags and environment variables override it.",
        completion: .file())
    var config: String?

    @Option(
        help:
            "The libpq URI or keyword string of the database (KEYWARD_DATABASE_URL). Default: a private PostgreSQL in the data folder."
    )
    var databaseUrl: String?

    @Option(
        help:
            "The direct address of PostgreSQL, if --database-url leads to a transaction pooler (KEYWARD_LISTEN_DATABASE_URL)."
    )
    var listenDatabaseUrl: String?

    @Option(help: "Timeout for reaching the database at start (KEYWARD_DATABASE_WAIT). Default: 30s.")
    var databaseWait: String?

    @Option(
        help: "A file that holds the admin key of at least 32 characters (or set the key in KEYWARD_ADMIN_KEY).",
        completion: .file())
    var adminKeyFile: String?

    @OptionGroup(title: "Gateway")
    var gateway: GatewayOptions

    @Option(
        name: .customLong("control"),
        help:
            "The address of the listener for administration, health and metrics (KEYWARD_CONTROL_ADDRESS). Default: 127.0.0.1:9090."
    )
    var controlAddress: String?

    @OptionGroup(title: "Control listener")
    var control: ControlOptions

    @Option(
        help:
            "The URL of the control listener for clients of introspection (KEYWARD_ISSUER). Default: the URL of its address."
    )
    var issuer: String?

    @Option(help: "The data folder of Keyward (KEYWARD_DATA_DIR). Default: .keyward.", completion: .directory)
    var dataDir: String?

    @Option(
        help:
            "The time for which keys stay valid while the database cannot be read (KEYWARD_MAX_STALENESS). Default: 1h."
    )
    var maxStaleness: String?

    @Option(
        help:
            "The time in which all keys in memory are compared with the database once, 1s to 24h (KEYWARD_RECONCILE_INTERVAL). Default: 10m."
    )
    var reconcileInterval: String?

    @Option(
        help: "The interval of writing usage counts to the database, 1s to 60s (KEYWARD_USAGE_INTERVAL). Default: 30s.")
    var usageInterval: String?

    @Option(
        help:
            "The lifetime of keys that are created without an expiry (KEYWARD_KEY_DEFAULT_LIFETIME). Default: the maximum, or no limit."
    )
    var keyDefaultLifetime: String?

    @Option(help: "The longest lifetime of a key (KEYWARD_KEY_MAX_LIFETIME). Default: no limit.")
    var keyMaxLifetime: String?

    @Option(
        help:
            "The log level: trace, debug, info, notice, warning, error or critical (KEYWARD_LOG_LEVEL). Default: info.",
        completion: .list(Logger.Level.allCases.map(\.rawValue)))
    var logLevel: String?

    @Option(
        help: "The log format: json or text (KEYWARD_LOG_FORMAT). Default: text on a terminal, else json.",
        completion: .list(["json", "text"]))
    var logFormat: String?

    /// Returns the settings from flags, environment and file.
    func source() throws(SettingsError) -> SettingsSource {
        let environment = ProcessInfo.processInfo.environment
        let options: [Setting: String?] = [
            .databaseURL: databaseUrl, .listenDatabaseURL: listenDatabaseUrl, .databaseWait: databaseWait,
            .adminKeyFile: adminKeyFile, .controlAddress: controlAddress, .issuer: issuer, .dataDirectory: dataDir,
            .maxStaleness: maxStaleness, .reconcileInterval: reconcileInterval, .usageInterval: usageInterval,
            .keyDefaultLifetime: keyDefaultLifetime,
            .keyMaxLifetime: keyMaxLifetime,
            .logLevel: logLevel, .logFormat: logFormat,
        ]
        return try SettingsSource(
            flags: options.compactMapValues(\.self)
                .merging(gateway.values) { first, _ in first }
                .merging(control.values) { first, _ in first },
            environment: environment,
            file: try configFile(environment))
    }

    private func configFile(_ environment: [String: String]) throws(SettingsError) -> String? {
        guard let config else { return environment["KEYWARD_CONFIG"] }
        try SettingsSource.refuseEmpty(config, "--config")
        return config
    }
}
