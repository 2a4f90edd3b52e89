import Glibc

extension EmbeddedPostgres {
    /// The result of an examination: the version, programs and user that a start in the folder would use.
    public struct Examination: Sendable {
        /// The major version that would run.
        public let version: Int
        /// The folder of its programs.
        public let binaries: String
        /// The system user that would run it.
        public let user: String
        /// True if a running Keyward has locked the folder.
        public let isInUse: Bool
    }

    /// Checks the preconditions of ``start(_:logger:)``, without creating or starting anything.
    /// - Throws: the error with which a start would fail.
    public static func examine(
        _ configuration: EmbeddedPostgresConfiguration
    ) async throws(EmbeddedPostgresError) -> Examination {
        let directory = absolute(configuration.directory)
        let exists = Files.status(directory) != nil
        let folder = exists ? try DataFolder(directory) : nil
        let cluster = (folder?.path ?? directory) + "/cluster"
        let account = try ServerAccount(cluster: cluster)
        let tool = Tool(account: account)
        var isInUse = false
        if let folder {
            isInUse = try isHeld(folder)
            // The start gives the account access to an empty folder.
            if !Files.names(in: folder.path).isEmpty { try await folder.checkReachable(tool: tool) }
        } else {
            try await DataFolder.checkCanBeMade(directory, tool: tool)
        }
        let major = try folder.flatMap { folder throws(EmbeddedPostgresError) in
            try Cluster(folder: folder, tool: tool).major()
        }
        let binaries = try await ServerBinaries.find(
            configuration.binaries, for: major, cluster: cluster, tool: tool)
        return Examination(
            version: binaries.major, binaries: binaries.folder, user: account.name, isInUse: isInUse)
    }

    private static func isHeld(_ folder: DataFolder) throws(EmbeddedPostgresError) -> Bool {
        guard Files.status(folder.path + "/lock") != nil else { return false }
        do throws(EmbeddedPostgresError) {
            try DirectoryLock(folder: folder.path).release()
            return false
        } catch {
            guard error.code == .directoryInUse else { throw error }
            return true
        }
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        return String(cString: here) + "/" + path
    }
}
