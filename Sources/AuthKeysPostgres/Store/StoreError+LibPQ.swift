import AuthKeys
import LibPQ

extension StoreError {
    /// What a failure of the database means to the domain.
    init(_ error: any Error) {
        guard let error = error as? PostgresError else {
            self.init(.failed, detail: error is CancellationError ? "cancelled" : "\(type(of: error))")
            return
        }
        // Raised by `require_whole_database`, or by an event that no trigger completed.
        if error.sqlState == "KW001" || error.sqlState == "23502" {
            self.init(
                .unavailable, detail: "the database is not whole: a restore is under way, or part of it is missing")
            return
        }
        let kind: Kind =
            error.isUnavailable || error.kind == .poolClosed
            ? .unavailable : error.sqlState == "23505" ? .conflict : .failed
        self.init(kind, detail: "\(error)")
    }
}
