import Glibc
import SystemPackage

/// The data folder, with the paths of its contents and its access rights.
struct DataFolder: Sendable {
    /// The absolute path, without symbolic links.
    let path: String

    var cluster: String { path + "/cluster" }
    var log: String { path + "/postgres.log" }
    var accessRules: String { path + "/pg_hba.conf" }
    var identities: String { path + "/pg_ident.conf" }
    var socket: String { path + "/socket" }

    /// The prefix of the names of clusters that `initdb` has not finished.
    static let unfinishedPrefix = "cluster.new."

    /// Opens the folder, and creates it if it is missing.
    init(_ directory: String) throws(EmbeddedPostgresError) {
        // A NUL would truncate the path in every system call. A line break would shift the lines of postmaster.pid.
        guard !directory.isEmpty, !directory.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else {
            throw EmbeddedPostgresError(
                .directoryUnusable,
                "the data folder's path is empty, or contains a line break or a NUL"
            )
        }
        do throws(Errno) {
            try Files.makeFolders(directory, mode: 0o700)
            path = try Files.realPath(directory)
            guard let status = Files.status(path), Files.isFolder(status) else {
                throw Errno.notDirectory
            }
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "the folder \(directory) cannot be used: \(error)")
        }
    }

    /// Gives the server's account access, if this process may decide that: an empty folder becomes accessible to the
    /// account's group. Any other folder keeps its permissions.
    func admit(_ account: ServerAccount) throws(EmbeddedPostgresError) {
        guard account.isSwitched, Files.names(in: path).isEmpty else { return }
        do {
            try Files.own(path, user: Files.unchanged, group: account.group, mode: 0o710)
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "the folder \(path) cannot be prepared: \(error)")
        }
    }

    /// Throws if the server's account cannot enter the folder or one of its ancestors. The error names the first such
    /// folder.
    func checkReachable(tool: Tool) async throws(EmbeddedPostgresError) {
        try await Self.checkReachable(ancestors + [path], for: path, tool: tool)
    }

    /// Tests the access as that account, because permission bits alone would miss access control lists.
    private static func checkReachable(
        _ folders: [String], for path: String, tool: Tool
    ) async throws(EmbeddedPostgresError) {
        guard tool.account.isSwitched else { return }
        let script = #"for folder; do [ -x "$folder" ] || { printf %s "$folder"; exit 1; }; done"#
        let outcome: Tool.Outcome
        do {
            outcome = try await tool.run("/bin/sh", ["-c", script, "sh"] + folders)
        } catch {
            guard !Task.isCancelled else { throw .cancelled }
            throw EmbeddedPostgresError(
                .startFailed,
                "no program can be run as user \(tool.account.name) with setpriv: \(error)"
            )
        }
        guard !Task.isCancelled else { throw .cancelled }
        guard !outcome.isSuccess else { return }
        throw EmbeddedPostgresError(
            .directoryUnreachable,
            "PostgreSQL runs as the unprivileged user \(tool.account.name), which cannot enter \(outcome.output); "
                + "choose a folder that this user can enter with --data-dir (now \(path))"
        )
    }

    /// The ancestor folders, outermost first.
    private var ancestors: [String] { Self.ancestors(of: path) }

    private static func ancestors(of path: String) -> [String] {
        path.indices.dropFirst().filter { path[$0] == "/" }.map { String(path[..<$0]) }
    }

    /// Checks that the folder can be created at this absolute path, without creating it.
    static func checkCanBeMade(_ path: String, tool: Tool) async throws(EmbeddedPostgresError) {
        let existing = ancestors(of: path).prefix { Files.status($0) != nil }
        let nearest = existing.last ?? "/"
        guard access(nearest, W_OK | X_OK) == 0 else {
            throw EmbeddedPostgresError(
                .directoryUnusable, "the folder \(path) cannot be created in \(nearest): \(Errno.last)")
        }
        try await checkReachable(Array(existing), for: path, tool: tool)
    }
}
