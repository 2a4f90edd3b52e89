/// The reason why the private PostgreSQL could not be started.
///
/// `description` is written for the operator's terminal. It contains folders, users, versions and the end of the
/// server's log, but no secrets.
public struct EmbeddedPostgresError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The stable reason.
    public enum Code: String, Sendable {
        /// The folder cannot be created, read or written.
        case directoryUnusable = "data_directory_unusable"
        /// The unprivileged user that runs the server cannot enter the folder.
        case directoryUnreachable = "data_directory_unreachable"
        /// Another process has locked the folder.
        case directoryInUse = "data_directory_in_use"
        /// The cluster belongs to a user as whom this process cannot or must not run the server.
        case foreignCluster = "cluster_of_another_user"
        /// There is no named, unprivileged user to run the server.
        case noAccount = "no_server_account"
        /// No usable `initdb` and `postgres` were found.
        case binariesMissing = "postgres_not_found"
        /// The cluster was created by a major version that is not installed.
        case versionMismatch = "postgres_version_mismatch"
        /// A setting is reserved to this library, or is not valid.
        case invalidSetting = "invalid_postgres_setting"
        /// `initdb`, or the creation of the database, failed.
        case initializationFailed = "initdb_failed"
        /// The server exited, or was not ready in time.
        case startFailed = "postgres_start_failed"
        /// A previous owner's server neither responds nor exits.
        case serverStuck = "postgres_stuck"
        /// The task was cancelled.
        case cancelled = "cancelled"
    }

    /// The stable reason, for code that branches and for metrics.
    public let code: Code
    /// The message for the operator, in one sentence.
    public let message: String
    /// The last lines of the output of the server or of `initdb`; empty if they add nothing.
    public let log: [String]

    init(_ code: Code, _ message: String, log: [String] = []) {
        self.code = code
        self.message = message
        self.log = log
    }

    static let cancelled = EmbeddedPostgresError(.cancelled, "the start of the private PostgreSQL was cancelled")

    /// The message, followed by the end of the log, one line each.
    public var description: String {
        ([message] + log.map { "    " + $0 }).joined(separator: "\n")
    }

    /// The description, preceded by the code.
    public var debugDescription: String { "\(code.rawValue): \(description)" }
}
