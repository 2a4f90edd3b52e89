import AuthKeys
import LibPQ

extension StoreError {
    /// The SQLSTATEs that show a schema without what the statements need (PostgreSQL manual, appendix A:
    /// undefined_table, undefined_column, undefined_function, undefined_object, invalid_schema_name,
    /// insufficient_privilege). All statements are constant, so migrations or grants are missing, or a dump is being
    /// restored.
    private static let schemaStates: Set = ["42P01", "42703", "42883", "42704", "3F000", "42501"]

    /// Converts a database failure into a domain error.
    /// - Parameter isChange: true if the call makes a change that must not be repeated by accident.
    init(_ error: any Error, isChange: Bool = false) {
        switch error {
        case let error as StoreError: self = error
        // Raised by `require_whole_database`, or by an event that no trigger has completed.
        case let error as PostgresError where ["KW001", "23502"].contains(error.sqlState):
            self.init(
                .unavailable, detail: "the database is incomplete: part of it is missing, or a restore is in progress")
        case is CancellationError: self.init(.unavailable, detail: "the call was cancelled")
        case let error as PostgresError:
            self.init(Self.kind(of: error, isChange: isChange), detail: "\(error)")
        default: self.init(.failed, detail: "\(type(of: error))")
        }
    }

    private static func kind(of error: PostgresError, isChange: Bool) -> Kind {
        if error.isOutcomeUnknown, isChange { return .outcomeUnknown }
        if error.isTransient || [.poolClosed, .cancelled].contains(error.kind) { return .unavailable }
        guard let sqlState = error.sqlState else { return .failed }
        return schemaStates.contains(sqlState) ? .unavailable : sqlState == "23505" ? .conflict : .failed
    }
}
