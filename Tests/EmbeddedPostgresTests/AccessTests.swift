import Glibc
import TestSupport
import Testing

@testable import EmbeddedPostgres

@Suite("Access to a private PostgreSQL", .serialized, .timeLimit(.minutes(10)))
struct AccessTests {
    @Test("no process of the server has a TCP socket")
    func noPort() async throws {
        try await withServer(configuration(try TestFolder.make("port"))) { server in
            #expect(try await Psql.run("SHOW listen_addresses", on: server.connectionString) == "")
            let tcp = try ["tcp", "tcp6"].flatMap { table in
                try Files.read("/proc/net/\(table)", limit: 4 << 20).split(separator: "\n").dropFirst()
                    .compactMap { $0.split(separator: " ").dropFirst(9).first.map(String.init) }
            }
            for process in server.processes.running {
                for name in Files.names(in: "/proc/\(process.id)/fd") {
                    var target = [CChar](repeating: 0, count: 256)
                    let length = readlink("/proc/\(process.id)/fd/\(name)", &target, target.count)
                    let link = String(
                        decoding: target.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
                    #expect(!tcp.contains { link == "socket:[\($0)]" })
                }
            }
        }
    }

    @Test("another local user is refused, even if the permissions of folder and socket are open", .enabled(if: isRoot))
    func peersOnly() async throws {
        let configuration = configuration(try TestFolder.make("peer"))
        try await withServer(configuration) { server in
            let socket = configuration.directory + "/socket"
            await #expect(throws: TestSupportError.self, "the folder must be inaccessible") {
                try await Psql.run("SELECT 1", on: server.connectionString, user: nobodyID)
            }
            for (path, mode) in [(configuration.directory, 0o755), (socket, 0o755), (socket + "/.s.PGSQL.5432", 0o777)]
            {
                try #require(chmod(path, mode_t(mode)) == 0)
            }
            let refusal = await #expect(throws: TestSupportError.self) {
                try await Psql.run("SELECT 1", on: server.connectionString, user: nobodyID)
            }
            #expect(refusal?.description.contains("Peer authentication failed") == true)
            #expect(try await Psql.run("SELECT 1", on: server.connectionString) == "1", "this process's own user")
            let account = try ServerAccount(cluster: configuration.directory + "/cluster")
            #expect(
                try await Psql.run("SELECT 1", on: server.connectionString, user: account.user) == "1",
                "the server's user")
        }
    }

    @Test("only the role keyward is accepted")
    func oneRole() async throws {
        try await withServer(configuration(try TestFolder.make("role"))) { server in
            try await Psql.run("CREATE ROLE other LOGIN SUPERUSER", on: server.connectionString)
            let refusal = await #expect(throws: TestSupportError.self) {
                try await Psql.run("SELECT 1", on: server.connectionString + " user=other")
            }
            #expect(refusal?.description.contains("no pg_hba.conf entry") == true)
        }
    }

    @Test(
        "under root, the server runs as an unprivileged user without root's groups, environment or session",
        .enabled(if: isRoot))
    func dropsPrivileges() async throws {
        setenv("KEYWARD_TEST_CANARY", "canary", 1)
        defer { unsetenv("KEYWARD_TEST_CANARY") }
        let configuration = configuration(try TestFolder.make("root"))
        try await withServer(configuration) { server in
            let account = try ServerAccount(cluster: configuration.directory + "/cluster")
            let status = try Files.read("/proc/\(server.processID)/status", limit: 8192).split(separator: "\n")
            let ids = "\t\(account.user)\t\(account.user)\t\(account.user)\t\(account.user)"
            #expect(account.user != 0)
            #expect(status.contains { $0 == "Uid:" + ids })
            #expect(status.first { $0.hasPrefix("Groups:") }?.contains { $0.isNumber } == false)
            #expect(getsid(server.processID) == server.processID)
            let environment = try Files.read("/proc/\(server.processID)/environ", limit: 1 << 16)
            #expect(!environment.contains("canary"))
            let cluster = try #require(Files.status(configuration.directory + "/cluster"))
            #expect(cluster.st_uid == account.user && cluster.st_mode & 0o777 == 0o700)
        }
    }

    @Test(
        "a setting that would widen access is refused before anything is created",
        arguments: ["listen_addresses", "Listen-Addresses", "hba_file", "unix_socket_permissions", "data_directory"])
    func refusesOpening(name: String) async throws {
        let directory = try TestFolder.make("setting")
        let error = await refusal(configuration(directory, settings: [name: "*"]))
        #expect(error?.code == .invalidSetting)
        #expect(!exists(directory + "/cluster"))
    }
}
