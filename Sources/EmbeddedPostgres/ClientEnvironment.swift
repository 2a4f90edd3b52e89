import FoundationEssentials
import Glibc

/// The variables that libpq reads (libpq, "Environment Variables").
///
/// A connection string cannot override all of them: libpq looks up `PGSERVICE` before it reads the string's other options, and
/// sends `PGTZ`, `PGDATESTYLE` and `PGGEQO` with every connection (fe-connect.c, fe-protocol3.c). So a process that works with
/// a private PostgreSQL must not have them.
enum ClientEnvironment {
    /// Removes every variable of this process whose name begins with `PG`, and returns the names.
    ///
    /// To be called before the first connection is made. glibc's `unsetenv` moves pointers and frees nothing, so another thread
    /// that reads the environment meanwhile does not read freed memory.
    static func clear() -> [String] {
        let names = ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("PG") }.sorted()
        for name in names { unsetenv(name) }
        return names
    }
}
