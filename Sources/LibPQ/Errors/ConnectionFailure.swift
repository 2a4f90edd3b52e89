/// The reasons why a connection attempt failed, in words that are safe to show. Only known causes are named, recognized
/// from the message of libpq or of the server. The message itself is never passed on, because it contains names of
/// hosts, users and files. `OptionRefusal` has libpq's reasons for refusing an option.
enum ConnectionFailure {
    /// Descriptions by SQLSTATE.
    private static let refusals: [SQLState: String] = [
        .invalidPassword: "the password is not accepted",
        .invalidAuthorizationSpecification: "the server does not admit this user (pg_hba.conf)",
        .invalidCatalogName: "the database does not exist: create it, with ENCODING 'UTF8' TEMPLATE template0",
        .tooManyConnections: "the server has no free connection",
        .objectNotInPrerequisiteState: "the database accepts no connections: ALTER DATABASE ... ALLOW_CONNECTIONS true",
        .cannotConnectNow: "the server is starting up or shutting down",
        .insufficientPrivilege:
            "the role may not connect to this database (GRANT CONNECT), or not change a setting in options",
        .syntaxError: "the server cannot read options (or PGOPTIONS)",
        .undefinedObject: "the server does not know a setting in options (or PGOPTIONS)",
        .invalidParameterValue:
            "the server does not accept the value of a setting in options (or PGOPTIONS, PGTZ, PGDATESTYLE)",
    ]

    /// Descriptions of libpq's own messages. They are in English unless a program calls `setlocale`, which this one
    /// does not.
    private static let causes: [(sign: String, words: String)] = [
        ("could not translate host name", "the host name is not known"),
        ("Connection refused", "the connection was refused: nothing listens on that address"),
        ("No such file or directory", "there is no server on that socket, or a file is missing"),
        ("No route to host", "there is no route to the host"),
        ("Network is unreachable", "the network cannot be reached"),
        ("timeout expired", "the server did not answer in time"),
        ("Permission denied", "the socket cannot be opened: permission denied"),
        (
            "session_replication_role",
            "session_replication_role is 'replica' or 'local' by default, and only a superuser can change it back"
        ),
        ("transaction_read_only", "the server is a standby, behind a transaction pooler"),
    ]

    /// Like `causes`, for failures that only a change of the settings, the files or the server can fix.
    private static let mistakes: [(sign: String, words: String)] = [
        ("no password supplied", "the server requires a password and none was given"),
        ("server does not support SSL", "the server does not support TLS, which sslmode requires"),
        ("root certificate file", "the file with the certificate authorities that sslmode requires does not exist"),
        ("certificate verify failed", "the server's certificate is not signed by a trusted authority"),
        ("server certificate for", "the server's certificate is for another name"),
        ("private key file", "the client's private key (sslkey) cannot be used"),
        ("certificate file", "the client's certificate (sslcert) cannot be used"),
    ]

    /// Returns true if an attempt failed for one of `mistakes`. False if several addresses were tried: another one may
    /// become reachable again.
    static func isMistake(_ message: String) -> Bool {
        message.ranges(of: "connection to server").count < 2 && mistakes.contains { message.contains($0.sign) }
    }

    /// Returns the description of a failure, or nil if the cause is not known.
    static func words(message: String, sqlState: SQLState?) -> String? {
        // The function name in the error is not translated (miscinit.c).
        if sqlState == .invalidAuthorizationSpecification, message.contains("InitializeSessionUserId") {
            return "the role does not exist, or may not log in: CREATE ROLE ... LOGIN, or name another in user"
        }
        let known = (mistakes + causes).first { message.contains($0.sign) }
        // PostgreSQL reports a setting that may not be changed with the SQLSTATE of a missing privilege.
        if let known, known.sign == "session_replication_role" { return known.words }
        return sqlState.flatMap { refusals[$0] } ?? known?.words
    }
}
