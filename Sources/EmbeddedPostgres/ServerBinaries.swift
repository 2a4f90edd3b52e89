import Glibc

/// The folder of one installed PostgreSQL.
struct ServerBinaries: Sendable {
    let folder: String
    let major: Int

    var initdb: String { folder + "/initdb" }
    var postgres: String { folder + "/postgres" }

    /// The first version with `xid8` transaction ids, which the change feed requires.
    private static let oldestMajor = 13

    /// Finds the binaries for a cluster of version `major`, or for a new one if `major` is `nil`.
    static func find(
        _ configured: String?, for major: Int?, cluster: String, tool: Tool
    ) async throws(EmbeddedPostgresError) -> ServerBinaries {
        var found: [ServerBinaries] = []
        let folders = if let configured { [configured] } else { await candidates(tool: tool) }
        for folder in folders {
            guard let binaries = await probe(folder, tool: tool) else { continue }
            if binaries.major == major ?? binaries.major && binaries.major >= oldestMajor { return binaries }
            found.append(binaries)
        }
        guard !Task.isCancelled else { throw .cancelled }
        let versions = found.map { "\($0.major) in \($0.folder)" }.joined(separator: ", ")
        if let major, !found.isEmpty {
            throw EmbeddedPostgresError(
                .versionMismatch,
                "the cluster in \(cluster) was created by PostgreSQL \(major), but only other versions are installed (\(versions))"
            )
        }
        let location = configured.map { "in \($0)" } ?? "in $PATH, /usr/lib/postgresql or pg_config --bindir"
        throw EmbeddedPostgresError(
            .binariesMissing,
            "no initdb and postgres of version \(oldestMajor) or newer that user \(tool.account.name) can run were found "
                + location + (versions.isEmpty ? "" : " (found: \(versions))")
                + "; install PostgreSQL, or set --database-url"
        )
    }

    /// Returns the binaries in a folder with their version. They run as the server's user, which excludes binaries that
    /// this user cannot execute.
    private static func probe(_ folder: String, tool: Tool) async -> ServerBinaries? {
        guard access(folder + "/initdb", X_OK) == 0, access(folder + "/postgres", X_OK) == 0,
            let outcome = try? await tool.run(folder + "/postgres", ["--version"]), outcome.isSuccess,
            let major = major(inVersion: outcome.output)
        else { return nil }
        return ServerBinaries(folder: folder, major: major)
    }

    /// Returns the major version in the output of `postgres --version`, for instance
    /// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
    static func major(inVersion text: String) -> Int? {
        guard let version = text.split(separator: ") ", maxSplits: 1).dropFirst().first else { return nil }
        return Int(version.prefix { $0.isASCII && $0.isNumber })
    }

    private static func candidates(tool: Tool) async -> [String] {
        var folders = path()
        let packaged = "/usr/lib/postgresql"
        folders += Files.names(in: packaged).compactMap { Int($0) }.sorted(by: >).map { "\(packaged)/\($0)/bin" }
        for folder in path() where access(folder + "/pg_config", X_OK) == 0 {
            guard let outcome = try? await tool.run(folder + "/pg_config", ["--bindir"]), outcome.isSuccess,
                let bindir = outcome.output.split(separator: "\n").first
            else { continue }
            folders.append(String(bindir))
        }
        var seen: Set<String> = []
        return folders.filter { seen.insert($0).inserted }
    }

    /// Returns the absolute folders of `$PATH`. A relative one would mean a different folder for the server.
    private static func path() -> [String] {
        guard let path = getenv("PATH") else { return [] }
        return String(cString: path).split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
    }
}
