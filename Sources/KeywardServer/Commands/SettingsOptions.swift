import ArgumentParser
import FoundationEssentials
import Logging

/// The flags of a server's settings. Each is also a variable of the environment, and a member of the configuration file.
struct SettingsOptions: ParsableArguments {
    @Option(
        help: "A JSON file of settings (KEYWARD_CONFIG), read after flags and environment.", completion: .file())
    var config: String?

    @Option(
        help: "libpq URI or keyword string (KEYWARD_DATABASE_URL). Default: a private PostgreSQL in the data folder.")
    var databaseUrl: String?

    @Option(
        help: "Straight to PostgreSQL, where the other goes through a transaction pooler (KEYWARD_LISTEN_DATABASE_URL)."
    )
    var listenDatabaseUrl: String?

    @Option(help: "How long to wait for the database at start (KEYWARD_DATABASE_WAIT). Default: 30s.")
    var databaseWait: String?

    @Option(
        help: "A file that holds the admin key, at least 32 characters (or the key itself in KEYWARD_ADMIN_KEY).",
        completion: .file())
    var adminKeyFile: String?

    @OptionGroup(title: "Gateway")
    var gateway: GatewayOptions

    @Option(
        name: .customLong("control"),
        help: "Where administration, health and metrics listen (KEYWARD_CONTROL_ADDRESS). Default: 127.0.0.1:9090.")
    var controlAddress: String?

    @OptionGroup(title: "Control listener")
    var control: ControlOptions

    @Option(
        help:
            "The control listener's URL as clients of introspection know it (KEYWARD_ISSUER). Default: that of its address."
    )
    var issuer: String?

    @Option(help: "Keyward's own folder (KEYWARD_DATA_DIR). Default: .keyward.", completion: .directory)
    var dataDir: String?

    @Option(help: "How long keys are honoured while the database cannot be read (KEYWARD_MAX_STALENESS). Default: 1h.")
    var maxStaleness: String?

    @Option(
        help:
            "How long one comparison of all keys in memory with the database takes, 1s to 24h (KEYWARD_RECONCILE_INTERVAL). Default: 10m."
    )
    var reconcileInterval: String?

    @Option(help: "How often the use of keys is written down, 1s to 60s (KEYWARD_USAGE_INTERVAL). Default: 30s.")
    var usageInterval: String?

    @Option(
        help:
            "When keys end whose request does not say so (KEYWARD_KEY_DEFAULT_LIFETIME). Default: the maximum, or never."
    )
    var keyDefaultLifetime: String?

    @Option(help: "How long a key may live at most (KEYWARD_KEY_MAX_LIFETIME). Default: no limit.")
    var keyMaxLifetime: String?

    @Option(
        help: "trace, debug, info, notice, warning, error or critical (KEYWARD_LOG_LEVEL). Default: info.",
        completion: .list(Logger.Level.allCases.map(\.rawValue)))
    var logLevel: String?

    @Option(
        help: "json or text (KEYWARD_LOG_FORMAT). Default: json, text on a terminal.",
        completion: .list(["json", "text"]))
    var logFormat: String?

    /// What flags, environment and file say together.
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
