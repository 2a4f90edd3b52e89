public import AuthKeys
import AuthKeysPostgres
public import HTTPCredentials
public import KeywardGuard
import LibPQ
public import Logging
import ServiceLifecycle

/// Verifies keys in the process of an app, out of the PostgreSQL that `keyward serve` keeps them in.
///
/// A service: it loads all keys, follows their changes as every instance of Keyward does, and writes down what is used, the
/// rest of it at graceful shutdown. Until it has loaded, and when the database is away for longer than `maxStaleness`, requests
/// with a key are answered 503. It makes no table and no key.
public final class Keyward: KeyVerification {
    public let options: KeywardOptions
    public let requests: RequestVerifier
    private let verification: PostgresVerification
    private let direct: PostgresTarget
    private let databaseWait: Duration
    private let recordsUse: Bool
    private let allowsNewerSchema: Bool
    private let logger: Logger
    private let startup = Startup()

    /// Nothing is connected before `run()`.
    /// - Parameters:
    ///   - database: any libpq URI or keyword string.
    ///   - listenDatabase: straight to PostgreSQL, where `database` goes through a transaction pooler.
    ///   - maxStaleness: how long keys are honoured while the database cannot be read; zero never.
    ///   - databaseWait: how long to wait for the database at start.
    ///   - usageInterval: how often the use of keys is written down; nil for not at all.
    ///   - allowsNewerSchema: whether to start on tables of a newer Keyward, which may have limits of keys that this build does not
    ///     know and does not hold to.
    public init(
        database: String, listenDatabase: String? = nil, options: KeywardOptions = KeywardOptions(),
        maxStaleness: Duration = .seconds(3_600), databaseWait: Duration = .seconds(30),
        usageInterval: Duration? = .seconds(30), allowsNewerSchema: Bool = false, logger: Logger
    ) throws(KeywardError) {
        let target = try Self.target(database, "database")
        let listen: PostgresTarget? =
            if let listenDatabase { try Self.target(listenDatabase, "listenDatabase") } else { nil }
        if let usageInterval, usageInterval <= .zero {
            throw KeywardError(.option, "usageInterval takes a time above zero, or nil")
        }
        verification = PostgresVerification(
            target: target, direct: listen, maxStaleness: maxStaleness, usageInterval: usageInterval, logger: logger)
        direct = listen ?? target
        requests = options.requests(verifiedBy: verification.verifier)
        self.options = options
        self.databaseWait = databaseWait
        recordsUse = usageInterval != nil
        self.allowsNewerSchema = allowsNewerSchema
        self.logger = logger
    }

    /// Whether keys can be verified now.
    public var isServing: Bool { verification.freshness.isServing }

    /// Time since the last look at the database that worked; nil before the first.
    public var age: Duration? { verification.freshness.age }

    /// The secrets in memory.
    public var count: Int { verification.index.count }

    /// Runs until graceful shutdown begins. To be called once.
    /// - Throws: `KeywardError` when it cannot begin.
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
        await cancelWhenGracefulShutdown { await self.verification.follow(from: watermark) }
        await verification.usage.flush()
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
                on: connection, recordsUse: recordsUse, allowsNewer: allowsNewerSchema)
            await connection.close()
        } catch {
            await connection.close()
            throw KeywardError(error)
        }
    }

    private static func target(_ text: String, _ name: String) throws(KeywardError) -> PostgresTarget {
        do throws(PostgresError) {
            return try PostgresTarget(text)
        } catch {
            throw KeywardError(.option, "\(name) takes a PostgreSQL URI or keyword string, as libpq has them: \(error)")
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
