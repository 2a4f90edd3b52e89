import Foundation
import Glibc
import NIOHTTP1
import TestSupport
import Testing

@Suite("Private PostgreSQL", .timeLimit(.minutes(6)))
struct PrivateDatabaseTests {
    private func postmasterID(_ folder: String) -> Int32? {
        let file = try? FileManager.default.subpathsOfDirectory(atPath: folder).first { $0.hasSuffix("postmaster.pid") }
        guard let file, let text = try? String(contentsOfFile: folder + "/" + file, encoding: .utf8) else { return nil }
        return text.split(separator: "\n").first.flatMap { Int32($0) }
    }

    /// Returns true if the process has exited. A zombie counts as exited.
    private func hasEnded(_ process: Int32) -> Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
        return text.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }

    @Test("one command starts everything, prints example commands, and leaves nothing running")
    func wholeLife() async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let instance = try await KeywardProcess.start(dataDirectory: folder)
        // The addresses come first, and the example commands after them.
        let isReported = await eventually {
            instance.outputText.contains("curl -i") && instance.outputText.contains("\(folder)/admin-key")
        }
        #expect(isReported, "\(instance.outputText)")
        #expect(!instance.outputText.contains(instance.adminKey))
        let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/admin-key")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let key = try await instance.create()
        let used = try await instance.call(key.value).status
        #expect(used == 200)
        let postmaster = try #require(postmasterID(folder))
        let status = try await instance.stop()
        #expect(status == 0)
        #expect(hasEnded(postmaster), "PostgreSQL ended with it")

        let again = try await KeywardProcess.start(dataDirectory: folder)
        #expect(again.adminKey == instance.adminKey)
        let kept = try await again.call(key.value).status
        #expect(kept == 200)
        _ = try await again.stop()
    }

    @Test("a second instance in the same folder is refused in one line, and the first keeps running")
    func secondInstance() async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let first = try await KeywardProcess.start(dataDirectory: folder)
        let second = try await KeywardProcess.run(
            ["serve", "--data-dir", folder, "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"],
            environment: ["KEYWARD_LOG_LEVEL": "critical"])
        #expect(second.status == 1 && second.error.split(separator: "\n").count == 1, "\(second.error)")
        #expect(second.error.contains(folder))
        let key = try await first.create()
        let used = try await first.call(key.value).status
        #expect(used == 200)
        _ = try await first.stop()
    }

    @Test("a start after a crash takes over the running PostgreSQL with all keys")
    func crash() async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let first = try await KeywardProcess.start(dataDirectory: folder)
        let key = try await first.create()
        await first.crash()
        let second = try await KeywardProcess.start(dataDirectory: folder)
        let used = try await second.call(key.value).status
        #expect(used == 200)
        let postmaster = try #require(postmasterID(folder))
        let status = try await second.stop()
        #expect(status == 0)
        #expect(hasEnded(postmaster))
    }

    @Test("a shutdown during the start is graceful, and leaves nothing running")
    func stoppedWhileStarting() async throws {
        let database = try await TestDatabase.create()
        // Another session holds the lock of the migrations, so that the start has to wait.
        let lock = Task {
            try await Psql.run(
                "SELECT pg_advisory_lock(30229394876363364), pg_sleep(600)", on: database.connectionString)
        }
        let result = try await KeywardProcess.run(
            ["serve", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"],
            environment: [
                "KEYWARD_DATABASE_URL": database.connectionString, "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey,
                "KEYWARD_LOG_LEVEL": "info",
            ], terminatedAfter: "waiting for another instance")
        #expect(result.status == 0, "\(result.error)")
        lock.cancel()
        _ = try? await lock.value
    }

    @Test("libpq's environment variables are ignored, and the start logs it")
    func clientEnvironment() async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let variables = [
            "PGHOST": "/nonexistent", "PGHOSTADDR": "127.0.0.1", "PGPORT": "1", "PGDATABASE": "none", "PGUSER": "none",
            "PGSERVICE": "none", "PGSERVICEFILE": "/nonexistent", "PGOPTIONS": "-c search_path=nowhere",
            "PGTARGETSESSIONATTRS": "standby", "PGSSLMODE": "verify-full", "PGREQUIREPEER": "none", "PGTZ": "Nowhere",
            "PGDATESTYLE": "nonsense", "PGGEQO": "perhaps", "PGCLIENTENCODING": "none", "PGCHANNELBINDING": "require",
            "PGCONNECT_TIMEOUT": "soon", "PGDATA": "/nonexistent", "PGGSSENCMODE": "none", "PGAPPNAME": "none",
            "LC_ALL": "tr_TR.UTF-8", "LC_MESSAGES": "de_DE.UTF-8", "TZ": "Asia/Kathmandu",
        ]
        let instance = try await KeywardProcess.start(dataDirectory: folder, environment: variables)
        let key = try await instance.create()
        #expect(try await instance.call(key.value).status == 200)
        #expect(instance.logText.contains("PGTARGETSESSIONATTRS"), "\(instance.logText)")
        _ = try await instance.stop()
        let migrations = try await KeywardProcess.run(
            ["migrate", "status", "--data-dir", folder], environment: variables)
        #expect(migrations.status == 0 && migrations.output.contains("applied  1  "), "\(migrations.error)")
    }

    @Test("the data folder's mode does not depend on the umask", arguments: ["000", "027", "077"])
    func umask(mask: String) async throws {
        let parent = try TestFolder.make("umask")
        let folder = parent + "/data"
        let process = ChildProcess(
            "/bin/sh",
            ["-c", "umask \(mask); exec \"$0\" migrate up --data-dir \"$1\"", KeywardProcess.executable, folder])
        let status = try await process.waitForExit()
        #expect(status == 0, "\(process.log.text)")
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(parent) == 0o755)
        #expect(try mode(folder) == (geteuid() == 0 ? 0o711 : 0o700))
        #expect(try mode(folder + "/postgres") == (geteuid() == 0 ? 0o710 : 0o700))
    }

    @Test("Keyward reports a killed PostgreSQL and ends")
    func databaseKilled() async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let instance = try await KeywardProcess.start(dataDirectory: folder)
        let postmaster = try #require(postmasterID(folder))
        kill(postmaster, SIGKILL)
        let status = try await instance.waitForExit()
        #expect(status == 1)
        #expect(instance.logText.contains("private PostgreSQL ended by itself"))
        let again = try await KeywardProcess.start(dataDirectory: folder)
        _ = try await again.stop()
    }

    @Test("Keyward shuts down gracefully if PostgreSQL is killed during admin requests")
    func databaseKilledUnderLoad() async throws {
        let folder = try TestFolder.make("serve") + "/data"
        for _ in 0..<8 {
            let instance = try await KeywardProcess.start(dataDirectory: folder)
            let postmaster = try #require(postmasterID(folder))
            let request =
                "GET /admin/api/v1/auth-keys HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(instance.adminKey)\r\n\r\n"
            // Each request has a new connection, so that there is always one that was just accepted.
            let load = (0..<8).map { _ in
                Thread {
                    while !Thread.current.isCancelled, let connection = try? RawConnection(to: instance.control) {
                        connection.send(request)
                        _ = connection.readBlocking { $0.contains("\r\n\r\n") }
                    }
                }
            }
            for thread in load { thread.start() }
            try await Task.sleep(for: .milliseconds(300))
            kill(postmaster, SIGKILL)
            let status = try await instance.waitForExit()
            for thread in load { thread.cancel() }
            #expect(status == 1, "\(instance.logText.suffix(2_000))")
            #expect(instance.logText.contains("private PostgreSQL ended by itself"))
            let log = instance.logText
            #expect(
                !log.contains("CancellationError") && !log.contains("the database call was cancelled"),
                "\(log.suffix(2_000))")
        }
    }

    @Test("a response through the gateway completes if PostgreSQL is killed meanwhile")
    func databaseKilledUnderExchange() async throws {
        let folder = try TestFolder.make("serve") + "/data"
        let instance = try await KeywardProcess.start(dataDirectory: folder)
        let key = try await instance.create()
        let connection = try RawConnection(to: instance.gateway)
        connection.send(
            "POST /slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(key.value)\r\nContent-Length: 4\r\n\r\nab")
        // After the response to a later request, this one has reached the upstream.
        _ = try await instance.call(key.value)
        kill(try #require(postmasterID(folder)), SIGKILL)
        let isNoticed = await eventually { (try? RawConnection(to: instance.gateway)) == nil }
        #expect(isNoticed, "the gateway accepts no more connections")
        connection.send("cd")
        let response = await connection.read()
        #expect(response?.contains(#""body_bytes":4"#) == true, "\(response ?? "none")")
        let status = try await instance.waitForExit()
        #expect(status == 1)
    }
}
