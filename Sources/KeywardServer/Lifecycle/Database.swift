import AuthKeysPostgres
import EmbeddedPostgres
import FoundationEssentials
import LibPQ
import Logging

/// The PostgreSQL that an instance works with: somebody's, or a private one that lives and dies with it.
struct Database: Sendable {
    let target: PostgresTarget
    /// Straight to PostgreSQL, past any pooler.
    let direct: PostgresTarget
    /// Nil unless it is private.
    let embedded: EmbeddedPostgres?

    static func open(_ settings: Settings, logger: Logger) async throws -> Database {
        if let target = settings.database {
            return Database(target: target, direct: settings.listenDatabase ?? target, embedded: nil)
        }
        let directory = settings.dataDirectory + "/postgres"
        do {
            try FileManager.default.createDirectory(
                atPath: settings.dataDirectory, withIntermediateDirectories: true)
        } catch {
            throw SettingsError(.dataDirectory, "\(settings.dataDirectory) cannot be made")
        }
        let embedded = try await EmbeddedPostgres.start(
            EmbeddedPostgresConfiguration(directory: directory), logger: logger)
        let target = try PostgresTarget(embedded.connectionString)
        return Database(target: target, direct: target, embedded: embedded)
    }

    /// A connection straight to PostgreSQL. While the database cannot be reached, tries again until the time is over.
    func connect(waiting limit: Duration, logger: Logger) async throws -> PostgresConnection {
        do {
            return try await PostgresConnection.connect(to: direct, retryingFor: limit, logger: logger)
        } catch let error as PostgresError {
            throw StartError("the database cannot be reached (\(Setting.databaseURL.environment), \(direct)): \(error)")
        }
    }

    /// Brings it up to date, and returns what was done.
    func migrate(waiting limit: Duration, logger: Logger) async throws -> [Migration] {
        let connection = try await connect(waiting: limit, logger: logger)
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
