import Glibc
import TestSupport
import Testing

@testable import EmbeddedPostgres

@Suite("Data folder", .serialized, .timeLimit(.minutes(10)))
struct FolderTests {
    @Test("a second owner of a folder is refused with one line that names the folder")
    func oneOwner() async throws {
        let configuration = configuration(try TestFolder.make("owner"))
        try await withServer(configuration) { server in
            let error = await refusal(configuration)
            #expect(error?.code == .directoryInUse)
            #expect(error?.description.contains(configuration.directory) == true)
            #expect(error?.description.contains("\n") == false)
            let answer = try await Psql.run("SELECT 1", on: server.connectionString)
            #expect(answer == "1", "the first server must keep running")
        }
    }

    @Test("with a path too long for a socket, the socket is in a temporary folder that is removed with the server")
    func longPath() async throws {
        let directory = try TestFolder.make("long") + "/" + String(repeating: "d", count: 120)
        let prefix = "host='/tmp/keyward-"
        let server = try await EmbeddedPostgres.start(configuration(directory), logger: silent)
        let socket = String(server.connectionString.dropFirst("host='".count).prefix { $0 != "'" })
        #expect(server.connectionString.hasPrefix(prefix))
        #expect(Files.status(socket).map { $0.st_mode & 0o777 } == 0o700)
        let answer = try? await Psql.run("SELECT 1", on: server.connectionString)
        await server.stop()
        #expect(answer == "1")
        #expect(!exists(socket))
    }

    @Test(
        "a folder may have any name",
        arguments: [
            "with space", "with 'quotes' and \\ backslash", "with, comma", "with \" double", "mit Ümläut", "-c x=y",
        ])
    func oddNames(name: String) async throws {
        try await withServer(configuration(try TestFolder.make("odd") + "/" + name)) { server in
            let answer = try await Psql.run("SELECT 1", on: server.connectionString)
            #expect(answer == "1")
        }
    }

    @Test("a path that is empty or contains a line break or NUL is refused", arguments: ["", "/tmp/a\nb", "/tmp/a\0b"])
    func impossibleNames(path: String) async {
        #expect(await refusal(configuration(path))?.code == .directoryUnusable)
    }

    @Test("a path of a file is refused")
    func file() async throws {
        let path = try TestFolder.make("file")
        try Files.replace(path, with: "", mode: 0o644)
        #expect(await refusal(configuration(path))?.code == .directoryUnusable)
    }

    @Test("a folder below one that the server's user cannot enter is refused before initdb", .enabled(if: isRoot))
    func unreachable() async throws {
        let closed = try TestFolder.make("closed")
        try #require(mkdir(closed, 0o700) == 0)
        let error = await refusal(configuration(closed + "/data"))
        #expect(error?.code == .directoryUnreachable)
        #expect(error?.description.contains("cannot enter \(closed);") == true)
        #expect(error?.description.contains("--data-dir") == true)
        #expect(error?.description.contains("\n") == false)
        #expect(!exists(closed + "/data/cluster"))
    }

    @Test("the server's user gets access to an empty folder, and other folders stay unchanged", .enabled(if: isRoot))
    func emptyFolder() async throws {
        let empty = try TestFolder.make("empty")
        let full = try TestFolder.make("full")
        try #require(mkdir(empty, 0o700) == 0 && mkdir(full, 0o700) == 0)
        try Files.replace(full + "/file", with: "", mode: 0o600)
        try await withServer(configuration(empty)) { _ in }
        #expect(Files.status(empty).map { $0.st_mode & 0o777 } == 0o710)
        #expect(await refusal(configuration(full))?.code == .directoryUnreachable)
        #expect(Files.status(full).map { $0.st_mode & 0o777 } == 0o700)
    }

    @Test(
        "a created folder has the requested mode, and its ancestors 0755, regardless of the umask",
        arguments: [0o000, 0o077, 0o002])
    func umask(mask: Int) async throws {
        let parent = try TestFolder.make("umask")
        // In its own process, because it changes the umask.
        await #expect(processExitsWith: .success) { [parent = parent as String, mask = mask as Int] in
            Glibc.umask(mode_t(mask))
            try Files.makeFolders(parent + "/data/", mode: 0o710)
            #expect(Files.status(parent).map { $0.st_mode & 0o777 } == 0o755)
            #expect(Files.status(parent + "/data").map { $0.st_mode & 0o777 } == 0o710)
            // An existing folder keeps its mode.
            try Files.makeFolders(parent + "/data", mode: 0o700)
            #expect(Files.status(parent + "/data").map { $0.st_mode & 0o777 } == 0o710)
        }
    }

    @Test("an examination finds the version and user of a start without creating the folder")
    func examination() async throws {
        let directory = try TestFolder.make("examined") + "/data"
        let before = try await EmbeddedPostgres.examine(configuration(directory))
        #expect(before.version >= 13 && !before.isInUse)
        #expect(!exists(directory))
        try await withServer(configuration(directory)) { _ in
            let during = try await EmbeddedPostgres.examine(configuration(directory))
            #expect(during.isInUse && during.binaries == before.binaries && during.user == before.user)
        }
        let after = try await EmbeddedPostgres.examine(configuration(directory))
        #expect(!after.isInUse)
        try Files.replace(directory + "/cluster/PG_VERSION", with: "9\n", mode: 0o644)
        let error = await #expect(throws: EmbeddedPostgresError.self) {
            try await EmbeddedPostgres.examine(configuration(directory))
        }
        #expect(error?.code == .versionMismatch)
    }

    @Test("a cluster that belongs to root is refused", .enabled(if: isRoot))
    func rootsCluster() async throws {
        let directory = try TestFolder.make("roots")
        try Files.makeFolders(directory + "/cluster", mode: 0o700)
        #expect(await refusal(configuration(directory))?.code == .foreignCluster)
    }

    @Test("a cluster of another major version is refused with both versions")
    func otherVersion() async throws {
        let configuration = configuration(try TestFolder.make("version"))
        try await withServer(configuration) { _ in }
        let path = configuration.directory + "/cluster/PG_VERSION"
        let real = try Files.read(path, limit: 64).split(separator: "\n").first ?? ""
        try Files.replace(path, with: "9\n", mode: 0o644)
        let error = await refusal(configuration)
        #expect(error?.code == .versionMismatch)
        #expect(error?.description.contains("PostgreSQL 9,") == true)
        #expect(error?.description.contains("(\(real) in ") == true)
    }

    @Test("a cluster is started with its own version, although another comes first in $PATH")
    func matchingVersion() async throws {
        let directory = try TestFolder.make("matching")
        let other = try TestFolder.make("other")
        try await withServer(configuration(directory)) { _ in }
        try #require(mkdir(other, 0o755) == 0)
        let script = "#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n"
        for name in ["initdb", "postgres"] { try Files.replace(other + "/" + name, with: script, mode: 0o755) }
        // In its own process, because it changes the environment.
        await #expect(processExitsWith: .success) { [directory = directory as String, other = other as String] in
            setenv("PATH", other + ":" + String(cString: getenv("PATH")), 1)
            let tool = Tool(account: try ServerAccount(cluster: directory + "/cluster"))
            let first = try await ServerBinaries.find(nil, for: nil, cluster: directory, tool: tool)
            #expect(first.major == 99, "a new cluster would use the other version")
            try await withServer(configuration(directory)) { _ in }
        }
    }

    @Test("a start without binaries fails, and the error names the searched folder")
    func noBinaries() async throws {
        var configuration = configuration(try TestFolder.make("binaries"))
        configuration.binaries = "/nowhere"
        let error = await refusal(configuration)
        #expect(error?.code == .binariesMissing)
        #expect(error?.description.contains("/nowhere") == true)
    }

    @Test("a failed start reports the end of the log, and leaves no process and no lock")
    func startFailure() async throws {
        let directory = try TestFolder.make("failure")
        try await withServer(configuration(directory)) { _ in }
        let error = await refusal(configuration(directory, settings: ["shared_buffers": "nonsense"]))
        #expect(error?.code == .startFailed)
        #expect(error?.log.contains { $0.contains("shared_buffers") } == true)
        #expect(ClusterProcesses(cluster: directory + "/cluster")?.running == [])
        try await withServer(configuration(directory)) { _ in }
    }
}
