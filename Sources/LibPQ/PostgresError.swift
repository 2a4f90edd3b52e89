/// What went wrong between this program and PostgreSQL.
///
/// `description` is made of constant sentences, at most an SQLSTATE, and libpq's reason where it refuses an option: fit for logs and for callers' answers. SQL, parameters,
/// the server's message and its detail are only in `debugDescription`.
public struct PostgresError: Error, Sendable {
    /// The class of failure, for callers that branch.
    public enum Kind: Hashable, Sendable {
        /// No connection could be made.
        case connectionFailed
        /// The connection broke, or had been closed, before the answer was whole.
        case connectionLost
        /// The answer did not come within the time given.
        case timeout
        /// The calling task was cancelled.
        case cancelled
        /// PostgreSQL refused the statement (PostgreSQL manual, appendix A).
        case server(sqlState: String)
        /// A value was NULL, of another type or of another length than asked for.
        case decoding
        /// A statement or parameter could not be sent as it is.
        case invalidParameter
        /// The connection string is not one.
        case invalidTarget
        /// No connection of the pool came free within the time given.
        case poolExhausted
        /// The pool has been closed.
        case poolClosed
        /// The transaction that was asked to do this is over.
        case transactionEnded
        /// The caller's own handler of copied rows threw; `underlying` is what it threw.
        case rowHandlerFailed
    }

    private final class Storage: Sendable {
        let kind: Kind
        let sqlState: String?
        let constraintName: String?
        let detail: String
        let nothingWasSent: Bool
        let isOutcomeUnknown: Bool
        let isFatal: Bool
        let isStalePlan: Bool
        let underlying: (any Error)?

        init(
            kind: Kind, sqlState: String?, constraintName: String?, detail: String, nothingWasSent: Bool,
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

    /// Boxed, so that a throwing decoder on a hot path returns one word.
    private let storage: Storage

    init(
        _ kind: Kind, detail: String = "", sqlState: String? = nil, constraintName: String? = nil,
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

    /// The five characters PostgreSQL gave, where it gave any (appendix A, "PostgreSQL Error Codes").
    public var sqlState: String? { storage.sqlState }

    /// The name of the violated constraint, where the error is about one.
    public var constraintName: String? { storage.constraintName }

    /// What the caller's row handler threw, for `.rowHandlerFailed`.
    public var underlying: (any Error)? { storage.underlying }

    /// Whether it is certain that nothing of the statement reached the server.
    public var nothingWasSent: Bool { storage.nothingWasSent }

    /// Whether a COMMIT, or a statement outside a transaction, was sent and its answer was lost: it may have been carried out, or
    /// may still be. False says that it was not.
    ///
    /// After an error of the severity ERROR the transaction is rolled back. After FATAL it may have been a pooler that lost the
    /// server (PgBouncer sends 08P01), so that counts as no answer.
    public var isOutcomeUnknown: Bool { storage.isOutcomeUnknown }

    /// The server, or a pooler, ends the connection with this error.
    var isFatal: Bool { storage.isFatal }

    /// The same error, of a commit whose answer was lost.
    var withUnknownOutcome: PostgresError {
        PostgresError(
            kind, detail: storage.detail, sqlState: sqlState, constraintName: constraintName, isOutcomeUnknown: true,
            isFatal: isFatal, isStalePlan: isStalePlan, underlying: underlying)
    }

    /// The server no longer knows the prepared statement, or its plan no longer fits the tables.
    var isStalePlan: Bool { storage.isStalePlan }
}

extension PostgresError {
    /// Whether doing the same again is safe: nothing was sent, or the server rolled everything back for a reason that
    /// passes.
    public var isRetryable: Bool { nothingWasSent || isConflict }

    /// Whether the server rolled a transaction back because of others at the same time (`serialization_failure`,
    /// `deadlock_detected`): the same transaction succeeds when it is repeated.
    public var isConflict: Bool { (sqlState == "40001" || sqlState == "40P01") && !isOutcomeUnknown }

    /// Whether the trouble is the server's and not the statement's, so that the same call can succeed later: `isUnavailable`, or
    /// PostgreSQL lacks a resource, was told to stop, cannot read or write a file, or did not get a lock (PostgreSQL manual,
    /// appendix A).
    public var isTransient: Bool {
        if isUnavailable || isStalePlan { return true }
        guard case .server(let sqlState) = kind else { return false }
        // transaction_rollback, insufficient_resources, operator_intervention, system_error; then
        // idle_in_transaction_session_timeout, transaction_timeout, lock_not_available.
        return ["40", "53", "57", "58"].contains(sqlState.prefix(2)) || ["25P03", "25P04", "55P03"].contains(sqlState)
    }

    /// Whether the database cannot be reached, is starting or stopping, is read-only, or does not answer in time: the
    /// trouble is not with the statement.
    public var isUnavailable: Bool {
        switch kind {
        case .connectionFailed, .connectionLost, .timeout, .poolExhausted: true
        case .server(let sqlState):
            sqlState.hasPrefix("08") || ["25006", "53300", "57014", "57P01", "57P02", "57P03"].contains(sqlState)
        case .cancelled, .decoding, .invalidParameter, .invalidTarget, .poolClosed, .transactionEnded,
            .rowHandlerFailed:
            false
        }
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// One constant sentence, with the cause of a failed connection and the SQLSTATE where they are known.
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

    /// True if attempts to connect fail until someone changes something. libpq refuses an option or the server's certificate, or
    /// has no password. Or the server refuses the role, the password, the database or a setting (PostgreSQL manual, appendix A:
    /// classes 22, 28, 3D, 42 and 55).
    public var isRefusedForGood: Bool {
        guard kind == .connectionFailed else { return false }
        guard let sqlState else {
            return OptionRefusal.reason(in: storage.detail) != nil || ConnectionFailure.isMistake(storage.detail)
        }
        return ["22", "28", "3D", "42", "55"].contains(sqlState.prefix(2))
    }

    /// True if the server refused a write because the session is read-only or the server a standby. Another connection may
    /// lead to a server that accepts writes.
    public var isReadOnly: Bool { sqlState == "25006" }

    /// Everything known, the server's words included: for a developer's eyes, not for logs. (Swift takes it where an error
    /// is printed inside an optional, an array or a `dump`.)
    public var debugDescription: String {
        var text = "\(description): \(storage.detail)"
        if let constraintName { text += " [constraint \(constraintName)]" }
        if let underlying { text += " [\(underlying)]" }
        return text
    }

    /// Empty: what there is to say is said by the descriptions.
    public var customMirror: Mirror { Mirror(self, children: []) }

    private var sentence: String {
        switch kind {
        case .connectionFailed: "no connection to the database"
        case .connectionLost: "the connection to the database was lost"
        case .timeout: "the database did not answer in time"
        case .cancelled: "the database call was cancelled"
        case .server: "the database refused the statement"
        case .decoding: "the database answered with an unexpected value"
        case .invalidParameter: "a database statement or parameter cannot be sent"
        case .invalidTarget: "the database connection string is not valid"
        case .poolExhausted: "no database connection came free in time"
        case .poolClosed: "the database connection pool is closed"
        case .transactionEnded: "the database transaction is over"
        case .rowHandlerFailed: "the handler of database rows failed"
        }
    }
}
