import CLibPQ

extension PostgresError {
    /// Creates the error of a result (libpq, "PQresultErrorField"). Errors of libpq itself have no SQLSTATE and concern
    /// the connection.
    init(result: OpaquePointer) {
        func field(_ code: Int32) -> String? {
            PQresultErrorField(result, code).map { String(cString: $0) }
        }
        guard let sqlState = field(KEYWARD_DIAG_SQLSTATE).map(SQLState.init(rawValue:)) else {
            self.init(.connectionLost, detail: String(cString: PQresultErrorMessage(result)))
            return
        }
        let message = [field(KEYWARD_DIAG_MESSAGE), field(KEYWARD_DIAG_DETAIL)].compactMap { $0 }
        // Messages are translated, but the name of the function is not. The message is "cached plan must not change
        // result type".
        let changedPlan =
            sqlState == .featureNotSupported && field(KEYWARD_DIAG_SOURCE_FUNCTION) == "RevalidateCachedQuery"
        self.init(
            .server(sqlState: sqlState), detail: message.joined(separator: "; "), sqlState: sqlState,
            constraintName: field(KEYWARD_DIAG_CONSTRAINT), isFatal: field(KEYWARD_DIAG_SEVERITY) != "ERROR",
            isStalePlan: changedPlan || sqlState == .invalidSQLStatementName)
    }

    /// Creates the error of a connection attempt. libpq has no field for its SQLSTATE, but writes it into the message
    /// when the verbosity is `PQERRORS_VERBOSE`: `FATAL:  57P03: the database system is starting up`.
    init(failedConnection connection: OpaquePointer) {
        let message = String(cString: PQerrorMessage(connection))
        self.init(
            .connectionFailed, detail: message, sqlState: Self.sqlState(inVerboseMessage: message),
            nothingWasSent: true)
    }

    static func sqlState(inVerboseMessage message: String) -> SQLState? {
        for part in message.split(separator: ":") {
            let word = part.drop { $0 == " " }
            guard word.utf8.count == 5, let first = word.utf8.first, (0x30...0x39).contains(first) else { continue }
            if word.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }) {
                return SQLState(rawValue: String(word))
            }
        }
        return nil
    }

    /// Creates the error of a session whose settings could not be applied. None of the caller's statements ran on it.
    static func unusableSession(_ cause: PostgresError) -> PostgresError {
        let kind = [.timeout, .cancelled].contains(cause.kind) ? cause.kind : .connectionFailed
        return PostgresError(kind, detail: cause.debugDescription, sqlState: cause.sqlState, nothingWasSent: true)
    }

    /// Creates the error of a commit that was carried out, but not confirmed by a synchronous standby.
    static var unconfirmedCommit: PostgresError {
        PostgresError(.timeout, detail: "the synchronous standby did not confirm the commit").withUnknownOutcome
    }

    /// Creates the error of a call on a connection that was already closed.
    static func closed() -> PostgresError {
        PostgresError(.connectionLost, detail: "the connection is closed", nothingWasSent: true)
    }
}
