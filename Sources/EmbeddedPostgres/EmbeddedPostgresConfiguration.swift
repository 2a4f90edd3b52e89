/// The location and settings of a private PostgreSQL.
public struct EmbeddedPostgresConfiguration: Sendable {
    /// The folder that contains everything: cluster, log, lock, access rules and, if the path is short enough, the
    /// socket. It is created if it is missing. Relative paths are relative to the working directory.
    public var directory: String

    /// The folder of `initdb` and `postgres`. With `nil`, the search covers `$PATH`, then `/usr/lib/postgresql/*/bin`
    /// (newest first), then `pg_config --bindir`, and prefers the cluster's major version.
    public var binaries: String?

    /// Further server settings, as in `postgresql.conf`. They override Keyward's defaults. Settings that control access
    /// to the server (`listen_addresses`, `hba_file`, the socket's …) are refused.
    public var settings: [String: String]

    /// The time limits of the steps.
    package var limits = Limits()

    /// Creates the configuration of a private PostgreSQL in `directory`.
    public init(directory: String, binaries: String? = nil, settings: [String: String] = [:]) {
        self.directory = directory
        self.binaries = binaries
        self.settings = settings
    }

    /// The time limits of all waits.
    package struct Limits: Sendable {
        /// From the launch to the first accepted connection, including crash recovery.
        package var start: Duration = .seconds(120)
        /// For a previous owner's server to become ready, to respond or to exit.
        package var takeover: Duration = .seconds(60)
        /// For a fast shutdown (SIGINT), which writes a checkpoint.
        package var fastShutdown: Duration = .seconds(30)
        /// For an immediate shutdown (SIGQUIT), and again for the kernel after SIGKILL.
        package var immediateShutdown: Duration = .seconds(5)
    }
}
