/// Why no connection could be made, in words that are safe to show: known causes only, told from libpq's and the server's
/// message, of which nothing is passed on (it has names of hosts, users and files in it).
enum ConnectionFailure {
    /// The words for an SQLSTATE (PostgreSQL manual, appendix A).
    private static let refusals: [String: String] = [
        "28P01": "the password is not accepted", "28000": "the server does not let this user in (pg_hba.conf)",
        "3D000": "there is no such database", "53300": "the server has no connection free",
        "57P03": "the server is starting up or shutting down",
    ]

    /// The words for what libpq says itself. It does so in English unless a program calls `setlocale`, which this one does not.
    private static let causes: [(sign: String, words: String)] = [
        ("could not translate host name", "the host name is not known"),
        ("Connection refused", "the connection was refused: nothing listens there"),
        ("No such file or directory", "there is no server on that socket, or a file is missing"),
        ("no password supplied", "the server wants a password and none was given"),
        ("server does not support SSL", "the server speaks no TLS, which sslmode asks for"),
        ("root certificate file", "the file with the authorities for sslmode does not exist"),
        ("certificate verify failed", "the server's certificate is not from an authority that is trusted"),
        ("server certificate for", "the server's certificate is for another name"),
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

    /// What can be said about it; nil for nothing.
    static func words(message: String, sqlState: String?) -> String? {
        sqlState.flatMap { refusals[$0] } ?? causes.first { message.contains($0.sign) }?.words
    }
}
