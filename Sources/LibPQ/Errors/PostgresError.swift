/// An error between this program and PostgreSQL.
///
/// `description` consists of constant sentences, at most one SQLSTATE, and libpq's reason if it refuses an option. It
/// is safe for logs and for responses to clients. SQL, parameters and the server's message and detail appear only in
/// `debugDescription`.
public struct PostgresError: Error, Sendable {
    /// The class of failure, for callers that branch on it.
    public enum Kind: Hashable, Sendable {
        /// No connection could be made.
        case connectionFailed
        /// The connection broke, or was closed, before the result was complete.
        case connectionLost
        /// The result did not arrive within the timeout.
        case timeout
        /// The calling task was cancelled.
        case cancelled
        /// PostgreSQL refused the statement (PostgreSQL manual, appendix A).
        case server(sqlState: SQLState)
        /// A value was NULL, or not of the requested type or length.
        case decoding
        /// A statement or parameter cannot be sent.
        case invalidParameter
        /// The connection string is not valid.
        case invalidTarget
        /// No connection of the pool became free within the timeout.
        case poolExhausted
        /// The pool has been closed.
        case poolClosed
        /// The transaction is already over.
        case transactionEnded
        /// The caller's row handler threw an error, which is in `underlying`.
        case rowHandlerFailed
    }

    private final class Storage: Sendable {
        let kind: Kind
        let sqlState: SQLState?
        let constraintName: String?
        let detail: String
        let nothingWasSent: Bool
        let isOutcomeUnknown: Bool
        let isFatal: Bool
        let isStalePlan: Bool
        let underlying: (any Error)?

        init(
            kind: Kind, sqlState: SQLState?, constraintName: String?, detail: String, nothingWasSent: Bool,
            isOutcomeUnknown: Bool, isFatal: Bool, isStalePlan: Bool, underlying: (any Error)?
        ) {
            self.kind = kind
            self.sqlState = sqlState
            self.constraintName = constraintName
            self.detail = detail
            self.nothingWasSent = nothingWasSent
            self.isOutcomeUnknown = isOutcomeUnknown
            self.isFatal = isFatal
            self.isStalePlan = isStalePlan
            self.underlying = underlying
        }
    }

    /// A value that the caller cannot use.
    package init(decoding detail: String) {
        self.init(.decoding, detail: detail)
    }

    /// Boxed, so that a throwing decoder on a hot path returns one word.
    private let storage: Storage

    init(
        _ kind: Kind, detail: String = "", sqlState: SQLState? = nil, constraintName: String? = nil,
        nothingWasSent: Bool = false, isOutcomeUnknown: Bool = false, isFatal: Bool = false, isStalePlan: Bool = false,
        underlying: (any Error)? = nil
    ) {
        storage = Storage(
            kind: kind, sqlState: sqlState, constraintName: constraintName, detail: detail,
            nothingWasSent: nothingWasSent, isOutcomeUnknown: isOutcomeUnknown, isFatal: isFatal,
            isStalePlan: isStalePlan, underlying: underlying)
    }

    /// The class of failure.
    public var kind: Kind { storage.kind }

    /// The SQLSTATE, if PostgreSQL sent one.
    public var sqlState: SQLState? { storage.sqlState }

    /// The name of the violated constraint, if the error is about one.
    public var constraintName: String? { storage.constraintName }

    /// The error that the caller's row handler threw, for `.rowHandlerFailed`.
    public var underlying: (any Error)? { storage.underlying }

    /// True if it is certain that nothing of the statement reached the server.
    public var nothingWasSent: Bool { storage.nothingWasSent }

    /// True if a COMMIT, or a statement outside a transaction, was sent and its result was lost. The server may have
    /// executed it, or may still do so. False means that it was not executed.
    ///
    /// After an error of severity ERROR the transaction is rolled back. An error of severity FATAL may come from a
    /// pooler that lost the server (PgBouncer sends 08P01), so it counts as no result.
    public var isOutcomeUnknown: Bool { storage.isOutcomeUnknown }

    /// True if the server, or a pooler, closes the connection with this error.
    var isFatal: Bool { storage.isFatal }

    /// Returns a copy of this error, marked as the error of a commit whose result was lost.
    var withUnknownOutcome: PostgresError {
        PostgresError(
            kind, detail: storage.detail, sqlState: sqlState, constraintName: constraintName, isOutcomeUnknown: true,
            isFatal: isFatal, isStalePlan: isStalePlan, underlying: underlying)
    }

    /// True if the server no longer has the prepared statement, or if its plan no longer fits the tables.
    var isStalePlan: Bool { storage.isStalePlan }
}

extension PostgresError {
    /// True if a repetition is safe: nothing was sent, or the server rolled everything back for a temporary reason.
    public var isRetryable: Bool { nothingWasSent || isConflict }

    /// True if the server rolled the transaction back because of concurrent transactions (`serialization_failure`,
    /// `deadlock_detected`). The same transaction succeeds when it is repeated.
    public var isConflict: Bool {
        (sqlState == .serializationFailure || sqlState == .deadlockDetected) && !isOutcomeUnknown
    }

    /// True if the problem is the server's and not the statement's, so that the same call can succeed later. That is:
    /// `isUnavailable`, or PostgreSQL lacks a resource, is shutting down, cannot read or write a file, or did not get a
    /// lock (PostgreSQL manual, appendix A).
    public var isTransient: Bool {
        if isUnavailable || isStalePlan { return true }
        guard case .server(let sqlState) = kind else { return false }
        switch sqlState.conditionClass {
        case .transactionRollback, .insufficientResources, .operatorIntervention, .systemError: return true
        default: return [.idleInTransactionSessionTimeout, .transactionTimeout, .lockNotAvailable].contains(sqlState)
        }
    }

    /// True if the database is unreachable, starting, stopping or read-only, or does not respond in time. The problem
    /// is not the statement.
    public var isUnavailable: Bool {
        switch kind {
        case .connectionFailed, .connectionLost, .timeout, .poolExhausted: true
        case .server(let sqlState):
            switch sqlState {
            case .readOnlySQLTransaction, .tooManyConnections, .queryCanceled, .adminShutdown, .crashShutdown,
                .cannotConnectNow:
                true
            default: sqlState.conditionClass == .connectionException
            }
        case .cancelled, .decoding, .invalidParameter, .invalidTarget, .poolClosed, .transactionEnded,
            .rowHandlerFailed:
            false
        }
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// A constant sentence, with the cause of a failed connection and the SQLSTATE if they are known.
    public var description: String {
        var text = sentence
        switch kind {
        case .connectionFailed:
            let words = ConnectionFailure.words(message: storage.detail, sqlState: sqlState)
            if let words = words ?? OptionRefusal.reason(in: storage.detail) { text += ": \(words)" }
        case .invalidTarget where !storage.detail.isEmpty: text += ": \(storage.detail)"
        default: break
        }
        return sqlState.map { "\(text) (SQLSTATE \($0))" } ?? text
    }

    /// True if every connection attempt fails until the settings or the server change. libpq refuses an option or the
    /// server's certificate, or has no password. Or the server refuses the role, the password, the database or a
    /// setting.
    public var isRefusedForGood: Bool {
        guard kind == .connectionFailed else { return false }
        guard let sqlState else {
            return OptionRefusal.reason(in: storage.detail) != nil || ConnectionFailure.isMistake(storage.detail)
        }
        switch sqlState.conditionClass {
        case .dataException, .invalidAuthorizationSpecification, .invalidCatalogName,
            .syntaxErrorOrAccessRuleViolation, .objectNotInPrerequisiteState:
            return true
        default: return false
        }
    }

    /// True if the server refused a write because the session is read-only or the server is a standby. Another
    /// connection may lead to a server that accepts writes.
    public var isReadOnly: Bool { sqlState == .readOnlySQLTransaction }

    /// All details, including the server's message: for developers, not for logs. (Swift uses it for an error inside an
    /// optional, an array or a `dump`.)
    public var debugDescription: String {
        var text = "\(description): \(storage.detail)"
        if let constraintName { text += " [constraint \(constraintName)]" }
        if let underlying { text += " [\(underlying)]" }
        return text
    }

    /// Empty: the descriptions contain everything.
    public var customMirror: Mirror { Mirror(self, children: []) }

    private var sentence: String {
        switch kind {
        case .connectionFailed: "no connection to the database"
        case .connectionLost: "the connection to the database was lost"
        case .timeout: "the database did not respond in time"
        case .cancelled: "the database call was cancelled"
        case .server: "the database refused the statement"
        case .decoding: "the database sent an unexpected value"
        case .invalidParameter: "a database statement or parameter cannot be sent"
        case .invalidTarget: "the database connection string is not valid"
        case .poolExhausted: "no database connection became free in time"
        case .poolClosed: "the database connection pool is closed"
        case .transactionEnded: "the database transaction is over"
        case .rowHandlerFailed: "the handler of database rows failed"
        }
    }
}
