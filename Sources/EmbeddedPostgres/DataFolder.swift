import Glibc
import SystemPackage

/// The data folder: where what lives below it lies, and who may enter it.
struct DataFolder: Sendable {
    /// Absolute, without links.
    let path: String

    var cluster: String { path + "/cluster" }
    var log: String { path + "/postgres.log" }
    var accessRules: String { path + "/pg_hba.conf" }
    var identities: String { path + "/pg_ident.conf" }
    var socket: String { path + "/socket" }

    /// The beginning of the names of clusters that `initdb` has not finished.
    static let unfinishedPrefix = "cluster.new."

    /// Makes the folder when it is missing.
    init(_ directory: String) throws(EmbeddedPostgresError) {
        // A NUL would cut the path short in every system call, a line break would shift the lines of postmaster.pid.
        guard !directory.isEmpty, !directory.utf8.contains(where: { $0 == 0 || $0 == 10 || $0 == 13 }) else {
            throw EmbeddedPostgresError(
                .directoryUnusable,
                "the data folder's path is empty, or holds a line break or a NUL"
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

    /// Lets the server's account in, as far as that is ours to decide: an empty folder becomes enterable for the
    /// account's group; any other stays as its owner made it.
    func admit(_ account: ServerAccount) throws(EmbeddedPostgresError) {
        guard account.isSwitched, Files.names(in: path).isEmpty else { return }
        do {
            try Files.own(path, user: Files.unchanged, group: account.group, mode: 0o710)
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "the folder \(path) cannot be prepared: \(error)")
        }
    }

    /// Refuses when the server's account cannot enter the folder or one above it, naming the first such folder.
    func checkReachable(tool: Tool) async throws(EmbeddedPostgresError) {
        try await Self.checkReachable(ancestors + [path], for: path, tool: tool)
    }

    /// The kernel is asked, as that account: mode bits alone would miss access control lists.
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
            "PostgreSQL runs as the unprivileged user \(tool.account.name), who cannot enter \(outcome.output); "
                + "choose a folder that user can reach with --data-dir (now \(path))"
        )
    }

    /// The folders above, outermost first.
    private var ancestors: [String] { Self.ancestors(of: path) }

    private static func ancestors(of path: String) -> [String] {
        path.indices.dropFirst().filter { path[$0] == "/" }.map { String(path[..<$0]) }
    }

    /// Checks that the folder could be made at this absolute path, without making it.
    static func checkCanBeMade(_ path: String, tool: Tool) async throws(EmbeddedPostgresError) {
        let existing = ancestors(of: path).prefix { Files.status($0) != nil }
        let nearest = existing.last ?? "/"
        guard access(nearest, W_OK | X_OK) == 0 else {
            throw EmbeddedPostgresError(
                .directoryUnusable, "the folder \(path) cannot be made in \(nearest): \(Errno.last)")
        }
        try await checkReachable(Array(existing), for: path, tool: tool)
    }
}
