public import LibPQ
import Logging

/// Checks that the schema of a database suits verification alone, which applies no migrations.
public enum VerificationSchema {
    /// The latest migration on which the reads and writes of verification depend.
    static let oldest: Int32 = 4

    /// - Parameters:
    ///   - recordsUse: true if usage is recorded.
    ///   - allowsNewer: true if migrations that this build does not know are accepted.
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

    /// Returns the privileges that the role lacks to write the request log and its roll-ups, as in `GRANT`. The role
    /// has none of them if its privileges were granted before the log existed.
    public static func missingForLog(on connection: PostgresConnection) async throws(PostgresError) -> [String] {
        try await MissingRight.all(.verify, on: connection).filter { RuntimeGrants.logTables.contains($0.table) }
            .map(\.text)
    }

    /// Returns the privileges that the role lacks to count limits and credits together with other instances, as in
    /// `GRANT`.
    public static func missingForLimits(on connection: PostgresConnection) async throws(PostgresError) -> [String] {
        try await MissingRight.all(.verify, on: connection).filter { RuntimeGrants.limitTables.contains($0.table) }
            .map(\.text)
    }

    private static func missing(
        on connection: PostgresConnection, recordsUse: Bool
    ) async throws(VerificationSchemaError) -> [MissingRight] {
        do {
            // Without the table of instances, or a right on it, an instance only is missing from their list.
            return try await MissingRight.all(.verify, on: connection) { recordsUse || $0 == "SELECT" }
                .filter { $0.table != RuntimeGrants.instances }
                .filter { !RuntimeGrants.logTables.contains($0.table) }
                .filter { !RuntimeGrants.limitTables.contains($0.table) }
        } catch {
            throw .database(reason: "\(error)")
        }
    }
}

/// The reason why verification cannot start on a database.
public enum VerificationSchemaError: Error, Sendable {
    /// This role finds no tables of Keyward.
    case absent
    case older(found: Int32, needed: Int32)
    case newer(found: Int32, known: Int32)
    case migrations(MigrationError)
    /// The role lacks privileges.
    case denied([String])
    /// The database could not be queried.
    case database(reason: String)
}

extension VerificationSchemaError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .absent:
            "this role finds no Keyward tables in its search_path: run 'keyward migrate up', or grant the role USAGE on their schema"
        case .older(let found, let needed):
            "the database is at migration \(found), older than this build can read (\(needed)): run 'keyward migrate up'"
        case .newer(let found, let known):
            "the database is at migration \(found), newer than this build knows (\(known)): this build may ignore restrictions of its keys; build against the version of Keyward that made it, or allow newer schemas"
        case .migrations(let error): "\(error)"
        case .denied(let rights):
            "this role lacks \(rights.joined(separator: ", ")): run 'keyward migrate grants ROLE --verify-only --apply' as the role that owns the tables"
        case .database(let reason): "the migrations could not be read from the database: \(reason)"
        }
    }
}
