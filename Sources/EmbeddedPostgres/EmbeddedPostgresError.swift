/// Why the private PostgreSQL could not be started.
///
/// `description` is written for the operator's terminal. It names folders, users, versions and the end of the server's
/// log; none of them holds a secret.
public struct EmbeddedPostgresError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The stable reason.
    public enum Code: String, Sendable {
        /// The folder cannot be made, read or written.
        case directoryUnusable = "data_directory_unusable"
        /// The unprivileged user that runs the server cannot enter the folder.
        case directoryUnreachable = "data_directory_unreachable"
        /// Another process holds the folder.
        case directoryInUse = "data_directory_in_use"
        /// The cluster belongs to a user whom this process cannot or must not act for.
        case foreignCluster = "cluster_of_another_user"
        /// No named, unprivileged user is there to run the server.
        case noAccount = "no_server_account"
        /// No usable `initdb` and `postgres` were found.
        case binariesMissing = "postgres_not_found"
        /// The cluster was made by a major version that is not installed.
        case versionMismatch = "postgres_version_mismatch"
        /// A setting is one that only this library decides, or is not a setting at all.
        case invalidSetting = "invalid_postgres_setting"
        /// `initdb`, or the creation of the database, failed.
        case initializationFailed = "initdb_failed"
        /// The server ended, or was not ready in time.
        case startFailed = "postgres_start_failed"
        /// A server of a former owner neither answers nor ends.
        case serverStuck = "postgres_stuck"
        /// The task was cancelled.
        case cancelled = "cancelled"
    }

    /// The stable reason, for code that branches and for metrics.
    public let code: Code
    /// One sentence for the operator.
    public let message: String
    /// The last lines of the server's (or `initdb`'s) own words; empty where they add nothing.
    public let log: [String]

    init(_ code: Code, _ message: String, log: [String] = []) {
        self.code = code
        self.message = message
        self.log = log
    }

    static let cancelled = EmbeddedPostgresError(.cancelled, "the start of the private PostgreSQL was cancelled")

    /// The sentence, followed by the end of the log, one line each.
    public var description: String {
        ([message] + log.map { "    " + $0 }).joined(separator: "\n")
    }

    /// The description with the code before it.
    public var debugDescription: String { "\(code.rawValue): \(description)" }
}
