/// How the postmaster ended.
public enum EmbeddedPostgresExit: Sendable, Equatable {
    /// It left with this exit code; 0 after an orderly shutdown.
    case exited(code: Int32)
    /// This signal killed it.
    case signaled(signal: Int32)
    /// It is gone. It was taken over from a former owner, and only a parent learns more.
    case unknown
}
