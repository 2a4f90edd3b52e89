/// Where a private PostgreSQL lives and how it is set up.
public struct EmbeddedPostgresConfiguration: Sendable {
    /// The folder below which everything lives: cluster, log, lock, access rules and, when the path is short enough,
    /// the socket. Made when it is not there; relative paths count from the working directory.
    public var directory: String

    /// The folder of `initdb` and `postgres`. `nil` searches `$PATH`, then `/usr/lib/postgresql/*/bin` (newest first),
    /// then `pg_config --bindir`, and prefers what fits the cluster's major version.
    public var binaries: String?

    /// Further server settings, as in `postgresql.conf`; they win over Keyward's defaults. Settings that decide who can
    /// reach the server (`listen_addresses`, `hba_file`, the socket's …) are refused.
    public var settings: [String: String]

    /// How long each step may take.
    package var limits = Limits()

    /// A private PostgreSQL below `directory`.
    public init(directory: String, binaries: String? = nil, settings: [String: String] = [:]) {
        self.directory = directory
        self.binaries = binaries
        self.settings = settings
    }

    /// Bounds of everything that is waited for.
    package struct Limits: Sendable {
        /// From the launch to the first accepted connection; crash recovery counts.
        package var start: Duration = .seconds(120)
        /// For a server of a former owner to become ready, to answer or to end.
        package var takeover: Duration = .seconds(60)
        /// For a fast shutdown (SIGINT), which writes a checkpoint.
        package var fastShutdown: Duration = .seconds(30)
        /// For an immediate shutdown (SIGQUIT), and again for the kernel after SIGKILL.
        package var immediateShutdown: Duration = .seconds(5)
    }
}
