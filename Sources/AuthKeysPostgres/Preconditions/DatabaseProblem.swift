/// A property of a database that prevents Keyward from working. The description names the property and the remedy.
public enum DatabaseProblem: Error, Sendable, Equatable {
    /// The server is older than version 13.
    case version(String)
    /// The database encoding is not UTF-8.
    case encoding(String, database: String)
    /// The server is a standby in recovery.
    case standby
    /// Sessions of this role in this database are read-only by default.
    case readOnly
    /// No schema of `search_path` exists and is usable by the role.
    case noSchema(searchPath: String, role: String)
    /// The connection goes through a pooler that distributes a session's statements over several server sessions.
    case sessionsNotKept
    /// The connection goes through a pooler that refuses transactions.
    case transactionsRefused
    /// The direct connection leads to a different database from the pooled one.
    case otherDatabase
}

extension DatabaseProblem: CustomStringConvertible {
    public var description: String {
        switch self {
        case .version(let version):
            "PostgreSQL \(version) is too old: version \(DatabasePreconditions.oldestMajor) or newer is needed"
        case .encoding(let encoding, let database):
            "the database \(database) has the encoding \(encoding), and UTF8 is needed: "
                + "create another one with ENCODING 'UTF8' TEMPLATE template0, and a LOCALE that fits UTF8"
        case .standby:
            "the server is a standby, which is read-only: connect to the primary, or name all servers and "
                + "target_session_attrs=read-write"
        case .readOnly:
            "sessions are read-only: reset default_transaction_read_only for the server, the database or the role "
                + "(ALTER SYSTEM, ALTER DATABASE or ALTER ROLE ... RESET default_transaction_read_only)"
        case .noSchema(let searchPath, let role):
            "no schema of the search_path (\(searchPath)) exists and may be used by the role \(role): CREATE SCHEMA, "
                + "GRANT USAGE ON SCHEMA, or ALTER ROLE ... SET search_path"
        case .sessionsNotKept:
            "the connection goes through a pooler in transaction or statement mode, and LISTEN and advisory locks need a "
                + "session of their own: connect to PostgreSQL directly"
        case .transactionsRefused:
            "the pooler refuses transactions (statement mode): set its pool_mode to transaction"
        case .otherDatabase: "the direct connection leads to another database or server than the pooled one"
        }
    }
}
