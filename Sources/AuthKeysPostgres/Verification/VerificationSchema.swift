public import LibPQ
import Logging

/// Whether a database is one that verification alone can work with: it migrates nothing.
public enum VerificationSchema {
    /// The migration that made the last of what verification reads and writes.
    static let oldest: Int32 = 1

    /// - Parameters:
    ///   - recordsUse: whether use is written down.
    ///   - allowsNewer: whether migrations that this build does not know are no reason to refuse.
    public static func check(
        on connection: PostgresConnection, recordsUse: Bool, allowsNewer: Bool
    ) async throws(VerificationSchemaError) {
        let missing = try await missing(on: connection, recordsUse: recordsUse)
        let bookKeeping = missing.filter { $0.table == "keyward_migrations" }
        if bookKeeping.contains(where: { !$0.exists }) { throw .absent }
        guard bookKeeping.isEmpty else { throw .denied(missing.map(\.text)) }
        let found: Int32
        let plan: MigrationPlan
        do throws(MigrationError) {
            let runner = MigrationRunner(logger: Logger(label: "keyward", factory: { _ in SwiftLogNoOpLogHandler() }))
            let status = try await runner.status(on: connection)
            (found, plan) = (status.applied.map(\.version).max() ?? 0, status.plan)
        } catch {
            throw .migrations(error)
        }
        guard found >= oldest else { throw .older(found: found, needed: oldest) }
        if let newest = plan.newer.map(\.version).max(), !allowsNewer {
            throw .newer(found: newest, known: MigrationCatalogue.all.map(\.version).max() ?? 0)
        }
        guard missing.isEmpty else { throw .denied(missing.map(\.text)) }
    }

    private static func missing(
        on connection: PostgresConnection, recordsUse: Bool
    ) async throws(VerificationSchemaError) -> [MissingRight] {
        do {
            return try await MissingRight.all(.verify, on: connection) { recordsUse || $0 == "SELECT" }
        } catch {
            throw .database(reason: "\(error)")
        }
    }
}

/// Why verification does not begin on a database.
public enum VerificationSchemaError: Error, Sendable {
    /// There are no tables where this role looks.
    case absent
    case older(found: Int32, needed: Int32)
    case newer(found: Int32, known: Int32)
    case migrations(MigrationError)
    /// The role lacks rights.
    case denied([String])
    /// The database could not be asked.
    case database(reason: String)
}

extension VerificationSchemaError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .absent:
            "the database has no tables of Keyward's where this role looks for them: run 'keyward migrate up', or let the role use their schema"
        case .older(let found, let needed):
            "the database is at migration \(found), older than this build can read (\(needed)): run 'keyward migrate up'"
        case .newer(let found, let known):
            "the database is at migration \(found), newer than this build knows (\(known)), which may not know all limits of its keys: build against the version of Keyward that made it, or allow newer schemas"
        case .migrations(let error): "\(error)"
        case .denied(let rights):
            "this role lacks \(rights.joined(separator: ", ")): run 'keyward migrate grants ROLE --verify-only --apply' as the role that owns the tables"
        case .database(let reason): "the database could not be asked for its migrations: \(reason)"
        }
    }
}
