import EmbeddedPostgres
import Glibc
import Subprocess
import SystemPackage

/// PostgreSQL's own client, for tests that must not depend on LibPQ.
public enum Psql {
    /// Runs statements, each in its own transaction, and returns their rows: one a line, columns separated by `|`.
    ///
    /// - Parameter user: the system user to run as, for tests of access as root.
    /// - Throws: `TestSupportError` with the output of `psql` if a statement fails or access is refused.
    @discardableResult
    public static func run(_ statements: String..., on connectionString: String, user: UInt32? = nil) async throws
        -> String
    {
        let arguments = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", connectionString] + statements.flatMap { ["-c", $0] }
        return try await tool("psql", arguments, user: user)
    }

    /// Runs a PostgreSQL program, such as `pg_dump`, and returns its output.
    ///
    /// - Throws: `TestSupportError` with its error output if it fails.
    @discardableResult
    public static func tool(_ name: String, _ arguments: [String], user: UInt32? = nil) async throws -> String {
        let program = program(name)
        let switching = user.map { ["--reuid=\($0)", "--regid=\($0)", "--clear-groups", program] }
        let result = try await Subprocess.run(
            switching == nil ? .path(FilePath(program)) : .name("setpriv"),
            arguments: Arguments((switching ?? []) + arguments),
            environment: .inherit.updating(["PGCONNECT_TIMEOUT": "20"]),
            workingDirectory: "/",
            output: .string(limit: 16 << 20),
            error: .string(limit: 1 << 20)
        )
        guard result.terminationStatus.isSuccess else { throw TestSupportError(result.standardError) }
        return String(result.standardOutput.reversed().drop { $0 == "\n" }.reversed())
    }

    /// Returns the program in the packages' directory; the one in `/usr/bin` may be a slow wrapper.
    private static func program(_ name: String) -> String {
        let packaged = "/usr/lib/postgresql"
        let folders = Files.names(in: packaged).compactMap { Int($0) }.sorted(by: >).map { "\(packaged)/\($0)/bin" }
        return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 } ?? "/usr/bin/\(name)"
    }
}
