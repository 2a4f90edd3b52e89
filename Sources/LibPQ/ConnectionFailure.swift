/// Why no connection could be made, in words that are safe to show: known causes only, told from libpq's and the server's
/// message, of which nothing is passed on (it has names of hosts, users and files in it). `OptionRefusal` has libpq's reasons for
/// refusing an option.
enum ConnectionFailure {
    /// The words for an SQLSTATE (PostgreSQL manual, appendix A).
    private static let refusals: [String: String] = [
        "28P01": "the password is not accepted", "28000": "the server does not let this user in (pg_hba.conf)",
        "3D000": "there is no such database: create it, with ENCODING 'UTF8' TEMPLATE template0",
        "53300": "the server has no connection free",
        "55000": "the database accepts no connections: ALTER DATABASE ... ALLOW_CONNECTIONS true",
        "57P03": "the server is starting up or shutting down",
        "42501": "the role may not connect to this database (GRANT CONNECT), or not change a setting in options",
        "42601": "the server cannot read options (or PGOPTIONS)",
        "42704": "the server does not know a setting in options (or PGOPTIONS)",
        "22023": "the server does not accept the value of a setting in options (or PGOPTIONS, PGTZ, PGDATESTYLE)",
    ]

    /// The words for what libpq says itself. It does so in English unless a program calls `setlocale`, which this one does not.
    private static let causes: [(sign: String, words: String)] = [
        ("could not translate host name", "the host name is not known"),
        ("Connection refused", "the connection was refused: nothing listens there"),
        ("No such file or directory", "there is no server on that socket, or a file is missing"),
        ("No route to host", "there is no route to the host"),
        ("Network is unreachable", "the network cannot be reached"),
        ("timeout expired", "the server did not answer in time"),
        ("Permission denied", "the socket may not be opened"),
        (
            "session_replication_role",
            "session_replication_role is 'replica' or 'local' by default, and only a superuser can change it back"
        ),
        ("transaction_read_only", "the server is a standby, behind a transaction pooler"),
    ]

    /// As `causes`, where only a change of the settings, the files or the server helps.
    private static let mistakes: [(sign: String, words: String)] = [
        ("no password supplied", "the server wants a password and none was given"),
        ("server does not support SSL", "the server speaks no TLS, which sslmode asks for"),
        ("root certificate file", "the file with the authorities for sslmode does not exist"),
        ("certificate verify failed", "the server's certificate is not from an authority that is trusted"),
        ("server certificate for", "the server's certificate is for another name"),
        ("private key file", "the client's private key (sslkey) cannot be used"),
        ("certificate file", "the client's certificate (sslcert) cannot be used"),
    ]

    /// Returns true if an attempt failed for such a reason. False for several addresses: another one may come back.
    static func isMistake(_ message: String) -> Bool {
        message.ranges(of: "connection to server").count < 2 && mistakes.contains { message.contains($0.sign) }
    }

    /// What can be said about it; nil for nothing.
    static func words(message: String, sqlState: String?) -> String? {
        // The name of the function that raised the error is not translated (miscinit.c).
        if sqlState == "28000", message.contains("InitializeSessionUserId") {
            return "the role does not exist, or may not log in: CREATE ROLE ... LOGIN, or name another in user"
        }
        let known = (mistakes + causes).first { message.contains($0.sign) }
        // The SQLSTATE of a setting that may not be changed is that of a missing privilege.
        if let known, known.sign == "session_replication_role" { return known.words }
        return sqlState.flatMap { refusals[$0] } ?? known?.words
    }
}
