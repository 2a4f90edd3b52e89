import AuthKeys
import ControlAPI
import FoundationEssentials
import Gateway
import LibPQ
import Logging

/// All settings of `keyward serve`, checked.
struct Settings: Sendable {
    /// Nil: a private PostgreSQL is started.
    var database: PostgresTarget?
    /// Straight to PostgreSQL, for LISTEN and for migrations. Nil: the database.
    var listenDatabase: PostgresTarget?
    var databaseWait: Duration
    /// Nil: generated, with a private PostgreSQL; otherwise the database has to hold a key for admins.
    var adminKey: BootstrapKey?
    /// Without routes: the built-in echo upstream is put in.
    var gateway: GatewayConfiguration
    var control: ListenAddress
    /// Of the control listener.
    var connections: ConnectionLimits
    /// The control listener's URL, as clients of introspection know it.
    var issuer: String
    /// Whether nobody can reach it by that URL: it listens on all addresses, and no issuer was given.
    var isIssuerUnreachable: Bool
    var dataDirectory: String
    var maxStaleness: Duration
    var lifetimes: KeyLifetimes
    /// How often the use of keys is written down.
    var usageInterval: Duration

    init(_ source: SettingsSource) throws(SettingsError) {
        database = try Self.target(.databaseURL, source)
        listenDatabase = try Self.target(.listenDatabaseURL, source)
        databaseWait = try source.duration(.databaseWait, default: .seconds(30))
        adminKey = try Self.adminKey(source)
        gateway = try GatewayConfiguration(source)
        control = try source.address(.controlAddress, default: ListenAddress(host: "127.0.0.1", port: 9090))
        connections = try ConnectionLimits(source)
        let issuer = try Self.issuer(source)
        self.issuer = issuer ?? "http://\(control)"
        isIssuerUnreachable = issuer == nil && ["0.0.0.0", "::"].contains(control.host)
        dataDirectory = source.text(.dataDirectory) ?? ".keyward"
        maxStaleness = try source.duration(.maxStaleness, default: .seconds(3_600))
        lifetimes = try Self.lifetimes(source)
        usageInterval = try source.duration(.usageInterval, default: .seconds(30))
        guard (.seconds(1) ... .seconds(60)).contains(usageInterval) else { throw SettingsError(.usageInterval) }
        if gateway.port != 0, gateway.host == control.host, gateway.port == control.port {
            throw SettingsError(.controlAddress, cannot: "it is the gateway's address too")
        }
        if database == nil, listenDatabase != nil {
            throw SettingsError(.listenDatabaseURL, "it is of no use without \(Setting.databaseURL.environment)")
        }
    }

    private static func target(_ setting: Setting, _ source: SettingsSource) throws(SettingsError) -> PostgresTarget? {
        guard let text = source.text(setting) else { return nil }
        guard let target = try? PostgresTarget(text) else { throw SettingsError(setting) }
        return target
    }

    /// A URL without query and fragment (RFC 8414 section 2), and without a slash at its end.
    private static func issuer(_ source: SettingsSource) throws(SettingsError) -> String? {
        guard let text = source.text(.issuer) else { return nil }
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host()?.isEmpty == false,
            url.query() == nil, url.fragment() == nil, url.user() == nil
        else { throw SettingsError(.issuer) }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private static func lifetimes(_ source: SettingsSource) throws(SettingsError) -> KeyLifetimes {
        func lifetime(_ setting: Setting) throws(SettingsError) -> Duration? {
            guard source.text(setting) != nil else { return nil }
            var duration = Duration.zero
            try source.timeout(setting, &duration)
            return duration
        }
        let (standard, longest) = (try lifetime(.keyDefaultLifetime), try lifetime(.keyMaxLifetime))
        if let standard, let longest, standard > longest {
            throw SettingsError(
                .keyDefaultLifetime, cannot: "it is longer than \(Setting.keyMaxLifetime.environment) allows")
        }
        return KeyLifetimes(standard: standard, longest: longest)
    }

    private static func adminKey(_ source: SettingsSource) throws(SettingsError) -> BootstrapKey? {
        if let path = source.text(.adminKeyFile) {
            guard let key = AdminKeyFile.read(path) else {
                throw SettingsError(.adminKeyFile, "\(path) cannot be read")
            }
            guard let adminKey = BootstrapKey(key) else { throw SettingsError(.adminKeyFile, "\(path) holds fewer") }
            return adminKey
        }
        guard let key = source.text(.adminKey) else { return nil }
        guard let adminKey = BootstrapKey(key) else { throw SettingsError(.adminKey, "it has \(key.count)") }
        return adminKey
    }
}
