import AuthKeys
import LibPQ

extension StoreError {
    /// What a failure of the database means to the domain.
    init(_ error: any Error) {
        guard let error = error as? PostgresError else {
            self.init(.failed, detail: error is CancellationError ? "cancelled" : "\(type(of: error))")
            return
        }
        let kind: Kind =
            error.isUnavailable || error.kind == .poolClosed
            ? .unavailable : error.sqlState == "23505" ? .conflict : .failed
        self.init(kind, detail: "\(error)")
    }
}
