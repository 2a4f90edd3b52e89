import FoundationEssentials
import Glibc

/// The environment variables that libpq reads (libpq, "Environment Variables").
///
/// A connection string cannot override all of them. libpq reads `PGSERVICE` before the other options of the string. It
/// sends `PGTZ`, `PGDATESTYLE` and `PGGEQO` with every connection (fe-connect.c, fe-protocol3.c). A process that uses a
/// private PostgreSQL must therefore not have them.
enum ClientEnvironment {
    /// Removes every variable of this process whose name begins with `PG`, and returns the names.
    ///
    /// Call it before the first connection. glibc's `unsetenv` moves pointers and frees nothing, so a thread that reads
    /// the environment at the same time does not read freed memory.
    static func clear() -> [String] {
        let names = ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("PG") }.sorted()
        for name in names { unsetenv(name) }
        return names
    }
}
