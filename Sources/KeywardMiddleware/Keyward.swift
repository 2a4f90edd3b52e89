public import AuthKeys
import AuthKeysPostgres
public import HTTPCredentials
public import KeywardGuard
import LibPQ
public import Logging
import RequestLog
import RequestLogPostgres
import ServiceLifecycle

/// A service that verifies keys in the process of an app. It reads them from the PostgreSQL of `keyward serve`.
///
/// The service loads all keys and follows their changes, as every instance of Keyward does. It writes usage counts to
/// the database, the last ones at graceful shutdown. Requests with a key get the status 503 until the keys are loaded,
/// and while the database has been unreachable for longer than `maxStaleness`. The service creates no tables and no
/// keys.
public final class Keyward: KeyVerification {
    public let options: KeywardOptions
    public let requests: RequestVerifier
    private let verification: PostgresVerification
    private let direct: PostgresTarget
    /// Nil if requests leave no lines.
    private let log: RequestLog?
    private let logDatabase: RequestLogDatabase
    private let databaseWait: Duration
    private let allowsNewerSchema: Bool
    private let identity: InstanceIdentity
    private let logger: Logger
    private let startup = Startup()

    /// Creates the service. `run()` opens the first connection.
    /// - Parameters:
    ///   - database: a libpq URI or keyword string.
    ///   - listenDatabase: the direct address of PostgreSQL, if `database` leads to a transaction pooler.
    ///   - maxStaleness: the time for which keys stay valid while the database cannot be read; zero for not at all.
    ///   - databaseWait: the timeout for reaching the database at start.
    ///   - usageInterval: the interval of writing usage counts to the database; nil to write none.
    ///   - logsRequests: true to write a line for each request into the request log, without its query.
    ///   - logsAddresses: false to keep the addresses of clients out of these lines.
    ///   - limits: the options of limits, as the settings `KEYWARD_LIMITS` and others of `keyward serve`.
    ///   - instanceName: the name of this app in the list of instances, 1 to 64 printable characters, which should stay
    ///     the same after a restart; nil for the names of the host and of the program.
    ///   - allowsNewerSchema: true to start on the tables of a newer Keyward. Its keys may have limits that this build
    ///     does not know and does not enforce.
    public init(
        database: String, listenDatabase: String? = nil, options: KeywardOptions = KeywardOptions(),
        maxStaleness: Duration = .seconds(3_600), databaseWait: Duration = .seconds(30),
        usageInterval: Duration? = .seconds(30), logsRequests: Bool = true, logsAddresses: Bool = true,
        limits: LimitOptions = LimitOptions(), instanceName: String? = nil, allowsNewerSchema: Bool = false,
        logger: Logger
    ) throws(KeywardError) {
        let target = try Self.target(database, "database")
        let listen: PostgresTarget? =
            if let listenDatabase { try Self.target(listenDatabase, "listenDatabase") } else { nil }
        if let usageInterval, usageInterval <= .zero {
            throw KeywardError(.option, "usageInterval takes a duration longer than zero, or nil")
        }
        let name = try Self.name(instanceName)
        verification = PostgresVerification(
            target: target, direct: listen, maxStaleness: maxStaleness, usageInterval: usageInterval, limits: limits,
            logger: logger)
        let identity = InstanceIdentity(id: verification.instanceID, name: name, kind: .middleware)
        self.identity = identity
        direct = listen ?? target
        logDatabase = RequestLogDatabase(
            target: target, isPooled: listen != nil, instance: identity.name, tends: false, logger: logger)
        var privacy = LogPrivacy(addresses: logsAddresses ? .full : .none)
        privacy.schemes = verification.index.schemes
        log =
            logsRequests
            ? RequestLog(privacy: privacy, traffic: logDatabase.traffic)
            : nil
        if let traffic = log?.traffic { verification.heartbeat.addFigures { traffic.live.figures() } }
        requests = options.requests(verifiedBy: verification.verifier, usage: verification.usage)
            .recording(to: log.map { SurfaceRecorder(log: $0, surface: .middleware) })
        self.options = options
        self.databaseWait = databaseWait
        self.allowsNewerSchema = allowsNewerSchema
        self.logger = logger
    }

    /// True while keys can be verified.
    public var isServing: Bool { verification.freshness.isServing }

    /// The time since the last successful read of the database; nil before the first.
    public var age: Duration? { verification.freshness.age }

    /// The number of secrets in memory.
    public var count: Int { verification.index.count }

    /// Runs until graceful shutdown begins. Call it only once.
    /// - Throws: `KeywardError` if the service cannot start.
    public func run() async throws {
        do {
            try await verification.withConnections { try await self.verify() }
            startup.end()
        } catch {
            guard !Task.isShuttingDownGracefully else { return startup.end() }
            startup.end(error)
            throw error
        }
    }

    public func ready() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await self.startup.wait() }
        } catch {
            guard !Task.isShuttingDownGracefully else { return }
            throw error
        }
    }

    private func verify() async throws {
        let watermark = try await cancelWhenGracefulShutdown {
            try await self.checkSchema()
            do throws(StoreError) {
                return try await self.verification.load()
            } catch {
                throw KeywardError(.database, "keys cannot be loaded (\(self.direct)): \(error)")
            }
        }
        startup.end()
        if let log {
            await logDatabase.run(log, within: Self.drain) { _ in
                await self.follow(from: watermark)
                log.close()
            }
        } else {
            await follow(from: watermark)
        }
        await verification.end()
    }

    /// The maximum time for which shutdown waits for lines and counts of requests to be written.
    private static let drain = Duration.seconds(10)

    /// Follows the changes of keys until graceful shutdown begins.
    private func follow(from watermark: Watermark) async {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.verification.follow(from: watermark, as: self.identity) }
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(1))) != nil { self.log?.tick(at: .now) }
                }
            }
        }
    }

    private func checkSchema() async throws {
        let connection: PostgresConnection
        do {
            connection = try await .connect(to: direct, retryingFor: databaseWait, logger: logger)
        } catch let error as PostgresError {
            throw KeywardError(.database, "the database cannot be reached (\(direct)): \(error)")
        }
        do {
            try await VerificationSchema.check(
                on: connection, recordsUse: verification.usage != nil, allowsNewer: allowsNewerSchema)
            await checkLog(on: connection)
            await checkLimits(on: connection)
            await connection.close()
        } catch {
            await connection.close()
            throw KeywardError(error)
        }
    }

    /// Closes the log if the role may not write it. Verification does not depend on it.
    private func checkLog(on connection: PostgresConnection) async {
        guard let log, let missing = try? await VerificationSchema.missingForLog(on: connection), !missing.isEmpty
        else {
            return
        }
        log.close()
        logger.notice(
            "requests leave no line in the request log, because this role lacks rights",
            metadata: ["rights": "\(missing.joined(separator: ", "))"])
    }

    /// Logs if the role lacks the rights for limits. Verification does not depend on them.
    private func checkLimits(on connection: PostgresConnection) async {
        guard let missing = try? await VerificationSchema.missingForLimits(on: connection), !missing.isEmpty else {
            return
        }
        logger.notice(
            "limits hold in this process alone, and plans are unknown, because this role lacks rights",
            metadata: ["rights": "\(missing.joined(separator: ", "))"])
    }

    private static func name(_ text: String?) throws(KeywardError) -> InstanceName {
        guard let text else {
            let program = CommandLine.arguments.first?.split(separator: "/").last
            return InstanceName(onThisHostWith: program.map(String.init) ?? "app")
        }
        guard let name = InstanceName(text) else {
            throw KeywardError(.option, "instanceName takes \(InstanceName.rule)")
        }
        return name
    }

    private static func target(_ text: String, _ name: String) throws(KeywardError) -> PostgresTarget {
        do throws(PostgresError) {
            return try PostgresTarget(text)
        } catch {
            throw KeywardError(.option, "\(name) takes a libpq connection URI or keyword string: \(error)")
        }
    }
}

extension KeywardError {
    fileprivate init(_ error: VerificationSchemaError) {
        let kind: Kind =
            switch error {
            case .absent, .older, .newer, .migrations: .schema
            case .denied: .rights
            case .database: .database
            }
        self.init(kind, "\(error)")
    }
}
