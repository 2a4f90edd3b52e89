/// The result of the postmaster's exit.
public enum EmbeddedPostgresExit: Sendable, Equatable {
    /// It exited with this code; 0 after a graceful shutdown.
    case exited(code: Int32)
    /// It was killed by this signal.
    case signaled(signal: Int32)
    /// It has exited. It was taken over from a previous owner, and only a parent process gets the exit code.
    case unknown
}
