import ControlAPI
import FoundationEssentials
import Gateway
import LibPQ
import Logging
import NIOCore

/// All settings of `keyward serve`, checked.
struct Settings: Sendable {
    /// Nil: a private PostgreSQL is started.
    var database: PostgresTarget?
    /// Straight to PostgreSQL, for LISTEN and for migrations. Nil: the database.
    var listenDatabase: PostgresTarget?
    var databaseWait: Duration
    /// Nil: generated, which is only allowed with a private PostgreSQL.
    var adminKey: AdminKey?
    /// Nil: the built-in echo upstream.
    var upstream: Upstream?
    var gateway: ListenAddress
    var control: ListenAddress
    var dataDirectory: String
    var credentials: GatewayConfiguration.CredentialPlaces
    var forwardCredentials: Bool
    var threads: Int
    var maxStaleness: Duration

    /// What the settings are for: commands that only work on the database need no admin key.
    enum Purpose {
        case serving
        case database
    }

    init(_ source: SettingsSource, for purpose: Purpose = .serving) throws(SettingsError) {
        database = try Self.target(.databaseURL, source)
        listenDatabase = try Self.target(.listenDatabaseURL, source)
        databaseWait = try Self.duration(.databaseWait, source, default: .seconds(30))
        adminKey = try Self.adminKey(source)
        upstream = try Self.upstream(source)
        gateway = try Self.address(.gatewayAddress, source, default: ListenAddress(host: "127.0.0.1", port: 8080))
        control = try Self.address(.controlAddress, source, default: ListenAddress(host: "127.0.0.1", port: 9090))
        dataDirectory = source.text(.dataDirectory) ?? ".keyward"
        credentials = try Self.credentials(source)
        forwardCredentials = try Self.flag(.forwardCredentials, source)
        threads = try Self.threads(source)
        maxStaleness = try Self.duration(.maxStaleness, source, default: .seconds(3_600))
        if purpose == .serving, database != nil, adminKey == nil {
            throw SettingsError(
                message:
                    "\(Setting.adminKey.environment) (or --admin-key-file) is required with a database URL: it takes "
                    + Setting.adminKey.takes)
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

    private static func duration(
        _ setting: Setting, _ source: SettingsSource, default standard: Duration
    ) throws(SettingsError) -> Duration {
        guard let text = source.text(setting) else { return standard }
        guard let duration = Duration(setting: text) else { throw SettingsError(setting, "'\(text)' is none") }
        return duration
    }

    private static func adminKey(_ source: SettingsSource) throws(SettingsError) -> AdminKey? {
        if let path = source.text(.adminKeyFile) {
            guard let key = AdminKeyFile.read(path) else {
                throw SettingsError(.adminKeyFile, "\(path) cannot be read")
            }
            guard let adminKey = AdminKey(key) else { throw SettingsError(.adminKeyFile, "\(path) holds fewer") }
            return adminKey
        }
        guard let key = source.text(.adminKey) else { return nil }
        guard let adminKey = AdminKey(key) else { throw SettingsError(.adminKey, "it has \(key.count)") }
        return adminKey
    }

    private static func upstream(_ source: SettingsSource) throws(SettingsError) -> Upstream? {
        guard let text = source.text(.upstreamURL) else { return nil }
        guard let upstream = Upstream(url: text) else { throw SettingsError(.upstreamURL) }
        return upstream
    }

    private static func address(
        _ setting: Setting, _ source: SettingsSource, default standard: ListenAddress
    ) throws(SettingsError) -> ListenAddress {
        guard let text = source.text(setting) else { return standard }
        guard let address = ListenAddress(text) else { throw SettingsError(setting, "'\(text)' is none") }
        return address
    }

    private static func credentials(_ source: SettingsSource) throws(SettingsError)
        -> GatewayConfiguration.CredentialPlaces
    {
        guard let text = source.text(.credentials) else { return [.authorization, .xAPIKey] }
        var places: GatewayConfiguration.CredentialPlaces = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            switch name.filter({ !$0.isWhitespace }).lowercased() {
            case "authorization": places.insert(.authorization)
            case "x-api-key": places.insert(.xAPIKey)
            default: throw SettingsError(.credentials, "'\(name)' is neither")
            }
        }
        return places
    }

    private static func flag(_ setting: Setting, _ source: SettingsSource) throws(SettingsError) -> Bool {
        switch source.text(setting) {
        case nil, "false": false
        case "true": true
        case let text?: throw SettingsError(setting, "'\(text)' is neither")
        }
    }

    private static func threads(_ source: SettingsSource) throws(SettingsError) -> Int {
        guard let text = source.text(.threads) else { return System.coreCount }
        guard let threads = Int(text), (1...1_024).contains(threads) else {
            throw SettingsError(.threads, "'\(text)' is none")
        }
        return threads
    }
}
