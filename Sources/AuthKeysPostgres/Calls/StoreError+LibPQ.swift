package import AuthKeys
import LibPQ

extension StoreError {
    /// Converts an error of the database client into one of the store. Nothing else converts it.
    /// - Parameter isChange: true if the call makes a change that must not be repeated by accident.
    package init(_ error: any Error, isChange: Bool = false) {
        switch error {
        case let error as StoreError: self = error
        case let error as PostgresError: self.init(error, isChange: isChange)
        case is CancellationError: self.init(.unavailable, detail: "the call was cancelled")
        default: self.init(.failed, detail: "\(type(of: error))")
        }
    }

    private init(_ error: PostgresError, isChange: Bool) {
        switch error.sqlState {
        // Raised by `require_whole_database`, or by an event that no trigger has completed.
        case .incompleteDatabase, .notNullViolation:
            self.init(
                .unavailable, detail: "the database is incomplete: part of it is missing, or a restore is in progress")
        default: self.init(Self.kind(of: error, isChange: isChange), detail: "\(error)")
        }
    }

    private static func kind(of error: PostgresError, isChange: Bool) -> Kind {
        if error.isOutcomeUnknown, isChange { return .outcomeUnknown }
        if error.isTransient || [.poolClosed, .cancelled].contains(error.kind) { return .unavailable }
        switch error.sqlState {
        // The schema lacks what a statement needs. All statements are constant, so migrations or grants are missing, or
        // a dump is being restored.
        case .undefinedTable, .undefinedColumn, .undefinedFunction, .undefinedObject, .invalidSchemaName,
            .insufficientPrivilege:
            return .unavailable
        case .uniqueViolation: return .conflict
        default: return .failed
        }
    }
}

extension SQLState {
    /// Raised by `require_whole_database` in the migrations.
    fileprivate static let incompleteDatabase: SQLState = "KW001"
}
