import AuthKeysPostgres
import EmbeddedPostgres
import Glibc
import LibPQ
import Logging

/// The PostgreSQL of an instance: the operator's, or a private one that starts and stops with the instance.
struct Database: Sendable {
    let target: PostgresTarget
    /// The direct address of PostgreSQL, not through a pooler.
    let direct: PostgresTarget
    /// The setting that `direct` comes from.
    let directSetting: Setting
    /// The private PostgreSQL; nil if the operator runs the database.
    let embedded: EmbeddedPostgres?

    static func open(_ settings: Settings, logger: Logger) async throws -> Database {
        if let target = settings.database {
            return Database(
                target: target, direct: settings.listenDatabase ?? target,
                directSetting: settings.listenDatabase == nil ? Setting.databaseURL : Setting.listenDatabaseURL,
                embedded: nil)
        }
        do {
            // Started by root, PostgreSQL runs as another user, who needs access to the folder.
            try Files.makeFolders(settings.dataDirectory, mode: geteuid() == 0 ? 0o711 : 0o700)
        } catch {
            throw SettingsError(Setting.dataDirectory, cannot: "\(settings.dataDirectory) cannot be created: \(error)")
        }
        SecretFile.log(SecretFile.inspectFolder(settings.dataDirectory).map { [$0] } ?? [], to: logger)
        let embedded = try await EmbeddedPostgres.start(settings.privatePostgres, logger: logger)
        let target = try PostgresTarget(embedded.connectionString)
        return Database(target: target, direct: target, directSetting: Setting.dataDirectory, embedded: embedded)
    }

    /// Opens a direct connection to PostgreSQL, for changes of the schema. Retries until the time limit while the
    /// database cannot be reached.
    func connect(waiting limit: Duration, logger: Logger) async throws -> PostgresConnection {
        try await connect(
            directSetting, direct, settings: ConnectionSettings(preparedStatements: 0), waiting: limit, logger: logger)
    }

    private func connect(
        _ setting: Setting, _ target: PostgresTarget, settings: ConnectionSettings, waiting limit: Duration,
        logger: Logger
    ) async throws -> PostgresConnection {
        do {
            return try await PostgresConnection.connect(
                to: target, settings: settings, retryingFor: limit, logger: logger)
        } catch let error as PostgresError {
            throw StartError("the database cannot be reached (\(setting.environment), \(target)): \(error)")
        }
    }

    /// Applies the pending migrations, and returns them.
    func migrate(waiting limit: Duration, logger: Logger) async throws -> [Migration] {
        let deadline = ContinuousClock.now + limit
        try await check(waiting: limit, logger: logger)
        let connection = try await connect(waiting: max(.zero, deadline - .now), logger: logger)
        do {
            let done = try await MigrationRunner(logger: logger).up(on: connection)
            await connection.close()
            return done
        } catch {
            await connection.close()
            throw StartError("\(error)")
        }
    }
}

/// The preconditions that `serve`, `migrate` and `doctor` check.
extension Database {
    /// Throws an error with all reasons in one line if Keyward cannot use the database.
    func check(waiting limit: Duration, logger: Logger) async throws {
        let problems = try await problems(waiting: limit, logger: logger)
        guard problems.isEmpty else { throw StartError(problems.joined(separator: "; ")) }
    }

    /// Returns the reasons why Keyward cannot use the database, each with the setting and the remedy. Retries until the
    /// time limit while an address cannot be reached.
    func problems(waiting limit: Duration, logger: Logger) async throws -> [String] {
        let deadline = ContinuousClock.now + limit
        return try await checking(directSetting, direct, until: deadline, logger) { connection in
            var found = try await DatabasePreconditions.problems(on: connection).map { text($0, directSetting, direct) }
            guard embedded == nil else { return found }
            let keepsSessions = try await checking(directSetting, direct, until: deadline, logger) { second in
                try await DatabasePreconditions.keepSessions(connection, second)
            }
            if !keepsSessions { found.append(text(.sessionsNotKept, directSetting, direct)) }
            guard directSetting == Setting.listenDatabaseURL else { return found }
            return try await found
                + checking(Setting.databaseURL, target, until: deadline, logger) { pooled in
                    try await DatabasePreconditions.problems(onPooled: pooled, direct: connection)
                }.map { text($0, Setting.databaseURL, target) }
        }
    }

    /// Runs `body` with a new connection, and closes it afterwards.
    private func checking<R: Sendable>(
        _ setting: Setting, _ target: PostgresTarget, until deadline: ContinuousClock.Instant, _ logger: Logger,
        _ body: (PostgresConnection) async throws -> R
    ) async throws -> R {
        let connection = try await connect(
            setting, target, settings: DatabasePreconditions.connectionSettings, waiting: max(.zero, deadline - .now),
            logger: logger)
        do {
            let result = try await body(connection)
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    private func text(_ problem: DatabaseProblem, _ setting: Setting, _ target: PostgresTarget) -> String {
        let remedy =
            problem == .sessionsNotKept ? ", with \(Setting.listenDatabaseURL.names)" : ""
        return "the database cannot be used (\(setting.environment), \(target)): \(problem)\(remedy)"
    }
}
