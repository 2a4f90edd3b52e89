import Glibc
import SystemPackage

/// The cluster, which is the folder of PostgreSQL's own files.
struct Cluster: Sendable {
    let folder: DataFolder
    let tool: Tool

    var exists: Bool { Files.status(folder.cluster) != nil }

    /// Returns the major version that created the cluster; `nil` if there is no cluster yet.
    func major() throws(EmbeddedPostgresError) -> Int? {
        guard exists else { return nil }
        let path = folder.cluster + "/PG_VERSION"
        guard let text = try? Files.read(path, limit: 64), let major = Int(text.prefix { $0 != "\n" }) else {
            throw EmbeddedPostgresError(
                .directoryUnusable, "\(path) cannot be read, so \(folder.cluster) is not a valid cluster")
        }
        return major
    }

    /// Removes the remains of a killed initialisation.
    func removeUnfinished() async throws(EmbeddedPostgresError) {
        for name in Files.names(in: folder.path) where name.hasPrefix(DataFolder.unfinishedPrefix) {
            try await discard("\(folder.path)/\(name)")
        }
    }

    /// Removes an unfinished cluster, although an orphaned `initdb` may still use it. After the rename, `initdb` no
    /// longer finds it, and the servers in it are stopped.
    private func discard(_ unfinished: String) async throws(EmbeddedPostgresError) {
        let path = unfinished + ".removed"
        do throws(Errno) {
            guard rename(unfinished, path) == 0 else { throw .last }
            _ = await ClusterProcesses(cluster: path)?.end(limit: .seconds(5))
            try Files.remove(path)
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "\(unfinished) cannot be removed: \(error)")
        }
    }

    /// Creates the cluster with role and database `keyward`. It gets its final name only when it is complete.
    func initialize(binaries: ServerBinaries, durable: Bool) async throws(EmbeddedPostgresError) {
        let unfinished = "\(folder.path)/\(DataFolder.unfinishedPrefix)\(getpid())"
        do throws(Errno) {
            guard mkdir(unfinished, 0o700) == 0 else { throw .last }
            try Files.own(unfinished, user: tool.account.user, group: tool.account.group, mode: 0o700)
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "\(unfinished) cannot be created: \(error)")
        }
        do throws(EmbeddedPostgresError) {
            try await run(binaries.initdb, Self.initdbArguments(unfinished, durable: durable))
            try await run(
                binaries.postgres,
                [
                    "--single", "-D", unfinished, "-c", "exit_on_error=on", "-c", "fsync=\(durable ? "on" : "off")",
                    "postgres",
                ],
                input: "CREATE DATABASE \(AccessRules.database);\n"
            )
        } catch {
            // Runs also if this task is cancelled. The next start removes a folder that cannot be removed now.
            await Task { try? await discard(unfinished) }.value
            throw error
        }
        do throws(Errno) {
            guard rename(unfinished, folder.cluster) == 0 else { throw .last }
            try Files.synchronize(folder.path)
        } catch {
            throw EmbeddedPostgresError(.directoryUnusable, "\(folder.cluster) cannot be created: \(error)")
        }
    }

    /// Returns the arguments of `initdb`. Text sorts in byte order, which is fast and the same on every machine. UTF-8
    /// classifies characters, if the system has that locale. Without our access rules the cluster rejects every
    /// connection.
    private static func initdbArguments(_ path: String, durable: Bool) -> [String] {
        let letters = newlocale(1 << LC_CTYPE, "C.UTF-8", nil)
        defer { if let letters { freelocale(letters) } }
        return [
            "--pgdata=\(path)", "--username=\(AccessRules.role)", "--auth=reject", "--data-checksums",
            "--encoding=UTF8", "--locale=C", "--lc-ctype=\(letters == nil ? "C" : "C.UTF-8")",
        ] + (durable ? [] : ["--no-sync"])
    }

    private func run(_ path: String, _ arguments: [String], input: String = "") async throws(EmbeddedPostgresError) {
        let outcome: Tool.Outcome
        do {
            outcome = try await tool.run(path, arguments, input: input)
        } catch {
            guard !Task.isCancelled else { throw .cancelled }
            throw EmbeddedPostgresError(.initializationFailed, "\(path) cannot be run: \(error)")
        }
        guard !Task.isCancelled else { throw .cancelled }
        guard outcome.isSuccess else {
            throw EmbeddedPostgresError(
                .initializationFailed,
                "the private PostgreSQL cannot be set up in \(folder.path); the output of \(path):",
                log: outcome.lastLines
            )
        }
    }
}
