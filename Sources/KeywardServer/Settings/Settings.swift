import AuthKeys
import ControlAPI
import EmbeddedPostgres
import FoundationEssentials
import Gateway
import Glibc
import KeyAdministration
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
    /// The time that one comparison of all keys in memory with the database takes.
    var reconcileInterval: Duration
    /// Whether SIGHUP ends Keyward, its private PostgreSQL with it, as it does when a terminal closes. Elsewhere, under `nohup` and
    /// with a certificate, it means to read again.
    var endsWithTerminal: Bool
    var lifetimes: KeyLifetimes
    /// How often the use of keys is written down.
    var usageInterval: Duration
    /// About files with secrets that others can read, for the log.
    var warnings: [String]

    init(_ source: SettingsSource) throws(SettingsError) {
        database = try Self.target(.databaseURL, source)
        listenDatabase = try Self.target(.listenDatabaseURL, source)
        databaseWait = try source.duration(.databaseWait, default: .seconds(30))
        warnings = source.warnings
        adminKey = try Self.adminKey(source, &warnings)
        gateway = try GatewayConfiguration(source)
        if let path = gateway.certificate?.key { try Self.inspect(path, .keyFile, &warnings) }
        control = try source.address(.controlAddress, default: ListenAddress(host: "127.0.0.1", port: 9090))
        connections = try ConnectionLimits(source)
        let issuer = try Self.issuer(source)
        self.issuer = issuer ?? "http://\(control)"
        isIssuerUnreachable = issuer == nil && ["0.0.0.0", "::"].contains(control.host)
        dataDirectory = source.text(.dataDirectory) ?? ".keyward"
        maxStaleness = try source.duration(.maxStaleness, default: .seconds(3_600))
        reconcileInterval = try source.duration(.reconcileInterval, default: .seconds(600))
        guard (.seconds(1) ... .seconds(86_400)).contains(reconcileInterval) else {
            throw SettingsError(.reconcileInterval)
        }
        endsWithTerminal = gateway.certificate == nil && isatty(STDIN_FILENO) == 1 && !Self.ignoresHangUp
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

    private static var ignoresHangUp: Bool {
        var action = sigaction()
        sigaction(SIGHUP, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    /// The private PostgreSQL's, where there is no database URL.
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

    private static func adminKey(
        _ source: SettingsSource, _ warnings: inout [String]
    ) throws(SettingsError) -> BootstrapKey? {
        if let path = source.text(.adminKeyFile) {
            let key: String
            let warning: String?
            do {
                (key, warning) = try AdminKeyFile.read(path)
            } catch {
                throw SettingsError(.adminKeyFile, "\(error)")
            }
            if let warning { warnings.append(warning) }
            guard let adminKey = BootstrapKey(key) else {
                throw SettingsError(.adminKeyFile, "\(path) holds \(key.count)")
            }
            return adminKey
        }
        guard let key = source.text(.adminKey) else { return nil }
        guard let adminKey = BootstrapKey(key) else { throw SettingsError(.adminKey, "it has \(key.count)") }
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
