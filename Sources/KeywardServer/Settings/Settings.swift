import AuthKeys
import ControlAPI
import EmbeddedPostgres
import FoundationEssentials
import Gateway
import Glibc
import KeyAdministration
import LibPQ
import Logging

/// The validated settings of `keyward serve`.
struct Settings: Sendable {
    /// The database; nil for a private PostgreSQL.
    var database: PostgresTarget?
    /// The direct address of PostgreSQL, for LISTEN and for migrations; nil if it is the address in `database`.
    var listenDatabase: PostgresTarget?
    var databaseWait: Duration
    /// The admin key. If it is nil, a start with a private PostgreSQL generates one; another database must hold an
    /// admin key.
    var adminKey: BootstrapKey?
    /// The configuration of the gateway. If it has no routes, the start adds the built-in echo upstream.
    var gateway: GatewayConfiguration
    var control: ListenAddress
    /// The connection limits of the control listener.
    var connections: ConnectionLimits
    /// The name of this instance; nil for the default name.
    var instanceName: InstanceName?
    /// The URL of the control listener for clients of introspection.
    var issuer: String
    /// True if clients cannot reach the listener by `issuer`: it listens on all addresses, and no issuer was set.
    var isIssuerUnreachable: Bool
    var dataDirectory: String
    var maxStaleness: Duration
    /// The time in which all keys in memory are compared with the database once.
    var reconcileInterval: Duration
    /// True if SIGHUP ends Keyward and its private PostgreSQL, as when a terminal closes. Otherwise, such as under
    /// `nohup` or with a certificate, SIGHUP reloads.
    var endsWithTerminal: Bool
    var lifetimes: KeyLifetimes
    /// The interval of writing usage counts to the database.
    var usageInterval: Duration
    /// The options of the limits of keys.
    var limits: LimitOptions
    /// The invalid keys that a client network may send; nil for any number.
    var failedAttempts: AttemptRate?
    var requestLog: RequestLogSettings
    /// The warnings about files with secrets that other users can read, for the log.
    var warnings: [String]

    init(_ source: SettingsSource) throws(SettingsError) {
        database = try Self.target(Setting.databaseURL, source)
        listenDatabase = try Self.target(Setting.listenDatabaseURL, source)
        databaseWait = try source.duration(Setting.databaseWait)
        warnings = source.warnings
        adminKey = try Self.adminKey(source, &warnings)
        gateway = try GatewayConfiguration(source)
        if let path = gateway.certificate?.key { try Self.inspect(path, Setting.keyFile, &warnings) }
        control = try source.address(Setting.controlAddress)
        connections = try ConnectionLimits(source)
        instanceName =
            try source.text(Setting.instanceName) == nil
            ? nil : source.value(Setting.instanceName) { InstanceName($0) }
        let issuer = try Self.issuer(source)
        self.issuer = issuer ?? "http://\(control)"
        isIssuerUnreachable = issuer == nil && ["0.0.0.0", "::"].contains(control.host)
        dataDirectory = try source.value(Setting.dataDirectory) { $0 }
        maxStaleness = try source.duration(Setting.maxStaleness)
        reconcileInterval = try source.duration(Setting.reconcileInterval)
        endsWithTerminal = gateway.certificate == nil && isatty(STDIN_FILENO) == 1 && !Self.ignoresHangUp
        lifetimes = try Self.lifetimes(source)
        usageInterval = try source.duration(Setting.usageInterval)
        limits = try LimitOptions(source)
        failedAttempts = try AttemptRate.value(in: source)
        requestLog = try RequestLogSettings(source)
        if gateway.port != 0, gateway.host == control.host, gateway.port == control.port {
            throw SettingsError(Setting.controlAddress, cannot: "the gateway has the same address")
        }
        if database == nil, listenDatabase != nil {
            throw SettingsError(Setting.listenDatabaseURL, "it requires \(Setting.databaseURL.environment)")
        }
    }

    private static var ignoresHangUp: Bool {
        var action = sigaction()
        sigaction(SIGHUP, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    /// The configuration of the private PostgreSQL, which runs if no database URL is set.
    var privatePostgres: EmbeddedPostgresConfiguration {
        EmbeddedPostgresConfiguration(directory: dataDirectory + "/postgres")
    }

    private static func target(_ setting: Setting, _ source: SettingsSource) throws(SettingsError) -> PostgresTarget? {
        guard let text = source.text(setting) else { return nil }
        do throws(PostgresError) {
            return try PostgresTarget(text)
        } catch {
            throw SettingsError(setting, "\(error)")
        }
    }

    /// Returns a URL without query and fragment (RFC 8414 section 2), and without a trailing slash.
    private static func issuer(_ source: SettingsSource) throws(SettingsError) -> String? {
        guard let text = source.text(Setting.issuer) else { return nil }
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host()?.isEmpty == false,
            url.query() == nil, url.fragment() == nil, url.user() == nil
        else { throw SettingsError(Setting.issuer) }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private static func lifetimes(_ source: SettingsSource) throws(SettingsError) -> KeyLifetimes {
        func lifetime(_ setting: Setting) throws(SettingsError) -> Duration? {
            try source.text(setting) == nil ? nil : source.duration(setting)
        }
        let (standard, longest) = (try lifetime(Setting.keyDefaultLifetime), try lifetime(Setting.keyMaxLifetime))
        if let standard, let longest, standard > longest {
            throw SettingsError(
                Setting.keyDefaultLifetime, cannot: "it is longer than \(Setting.keyMaxLifetime.environment)")
        }
        return KeyLifetimes(standard: standard, longest: longest)
    }

    private static func adminKey(
        _ source: SettingsSource, _ warnings: inout [String]
    ) throws(SettingsError) -> BootstrapKey? {
        if let path = source.text(Setting.adminKeyFile) {
            let key: String
            let warning: String?
            do {
                (key, warning) = try AdminKeyFile.read(path)
            } catch {
                throw SettingsError(Setting.adminKeyFile, "\(error)")
            }
            if let warning { warnings.append(warning) }
            guard let adminKey = BootstrapKey(key) else {
                throw SettingsError(Setting.adminKeyFile, "\(path) holds a text of \(key.count) characters")
            }
            return adminKey
        }
        guard let key = source.text(Setting.adminKey) else { return nil }
        guard let adminKey = BootstrapKey(key) else {
            throw SettingsError(Setting.adminKey, "the value has \(key.count) characters")
        }
        return adminKey
    }

    private static func inspect(
        _ path: String, _ setting: Setting, _ warnings: inout [String]
    ) throws(SettingsError) {
        do throws(SecretFile.Refusal) {
            if let warning = try SecretFile.inspect(path) { warnings.append(warning) }
        } catch {
            throw SettingsError(setting, cannot: "\(error)")
        }
    }
}
