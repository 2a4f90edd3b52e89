import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Database preconditions", .timeLimit(.minutes(6)))
struct PreconditionTests {
    private static let ports = ["--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"]

    private static func environment(_ url: String, _ more: [String: String] = [:]) -> [String: String] {
        more.merging([
            "KEYWARD_DATABASE_URL": url, "KEYWARD_ADMIN_KEY": KeywardProcess.adminKey, "KEYWARD_LOG_LEVEL": "error",
        ]) { $1 }
    }

    /// Expects that `serve`, `migrate up` and `doctor` refuse the database with these words, in one line, without
    /// waiting.
    private func expectRefusal(
        _ url: String, _ words: [String], _ more: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let environment = Self.environment(url, more)
        let start = ContinuousClock.now
        for command in [
            ["serve", "--database-wait", "10m"] + Self.ports, ["migrate", "up", "--database-wait", "10m"],
        ] {
            let result = try await KeywardProcess.run(command, environment: environment)
            #expect(result.status == 1 && result.output.isEmpty, sourceLocation: sourceLocation)
            #expect(result.error.split(separator: "\n").count == 1, "\(result.error)", sourceLocation: sourceLocation)
            for word in words {
                #expect(result.error.contains(word), "\(result.error)", sourceLocation: sourceLocation)
            }
        }
        let doctor = try await KeywardProcess.run(["doctor"] + Self.ports, environment: environment)
        let failure = doctor.output.split(separator: "\n").first { $0.hasPrefix("FAIL  database") } ?? ""
        #expect(doctor.status == 1, sourceLocation: sourceLocation)
        for word in words {
            #expect(failure.contains(word), "\(doctor.output)", sourceLocation: sourceLocation)
        }
        #expect(.now - start < .seconds(120), sourceLocation: sourceLocation)
    }

    @Test(
        "an unusable database is refused with the reason and the remedy",
        arguments: [
            ("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0", nil, ["LATIN1", "ENCODING 'UTF8'"]),
            ("ENCODING 'EUC_JP' LOCALE 'C' TEMPLATE template0", nil, ["EUC_JP", "ENCODING 'UTF8'"]),
            ("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0", nil, ["SQL_ASCII", "ENCODING 'UTF8'"]),
            ("", "default_transaction_read_only = on", ["read-only", "RESET default_transaction_read_only"]),
            ("", "search_path = nowhere", ["search_path (nowhere)", "CREATE SCHEMA"]),
        ] as [(String, String?, [String])])
    func unusable(options: String, setting: String?, words: [String]) async throws {
        let database = try await TestDatabase.create()
        let name = database.name + "_unusable"
        try await Psql.run("CREATE DATABASE \(name) \(options)", on: database.connectionString)
        if let setting { try await Psql.run("ALTER DATABASE \(name) SET \(setting)", on: database.connectionString) }
        let url = database.connectionString.split(separator: " ").map {
            $0.hasPrefix("dbname=") ? "dbname=\(name)" : $0
        }
        .joined(separator: " ")
        try await expectRefusal(url, ["KEYWARD_DATABASE_URL"] + words)
        try await Psql.run("DROP DATABASE \(name)", on: database.connectionString)
        try await database.drop()
    }

    @Test("a permanent refusal of libpq or the server is reported at once, with its text")
    func permanentRefusal() async throws {
        let database = try await TestDatabase.create()
        let url = database.connectionString
        try await expectRefusal(url + " sslmode=requir", ["invalid sslmode value: \"requir\""])
        try await expectRefusal(url + " service=nowhere", ["definition of service \"nowhere\" not found"])
        try await expectRefusal(url + " options='-c no_such=1'", ["does not know a setting in options"])
        try await expectRefusal(url, ["definition of service \"nowhere\" not found"], ["PGSERVICE": "nowhere"])
        for (wrong, words) in [
            ("postgres://app:s3cr/et@127.0.0.1/db", "%2F"), ("postgres://app:12/s3cr@127.0.0.1/db", "%2F"),
            ("postgres://app:s3cr@et@127.0.0.1/db", "%40"), ("host=127.0.0.1 port=s3cr", "port"),
        ] {
            for command in ["serve", "doctor"] {
                let result = try await KeywardProcess.run(
                    [command] + Self.ports, environment: Self.environment(wrong))
                let text = result.output + result.error
                #expect(result.status == 1 && text.contains("KEYWARD_DATABASE_URL") && text.contains(words), "\(text)")
                #expect(!text.contains("s3cr") && !text.contains("=12"), "\(text)")
            }
        }
        try await database.drop()
    }

    @Test("a missing role is reported as the reason")
    func noRole() async throws {
        let server = try await TestServer.start()
        let url = try await server.admit(role: "gone")
        try await Psql.run("DROP ROLE gone", on: server.connectionString)
        try await expectRefusal(url, ["user=gone", "the role does not exist"])
        await server.destroy()
    }

    @Test("a standby is refused with the reason and the remedy")
    func standby() async throws {
        let server = try await TestServer.start()
        await server.stop()
        let cluster = server.directory + "/cluster"
        let owner = try FileManager.default.attributesOfItem(atPath: cluster)[.ownerAccountID]
        try Data().write(to: URL(filePath: cluster + "/standby.signal"))
        try FileManager.default.setAttributes(
            owner.map { [.ownerAccountID: $0] } ?? [:], ofItemAtPath: cluster + "/standby.signal")
        try await server.start()
        try await expectRefusal(server.connectionString, ["standby", "primary"])
        await server.destroy()
    }

    @Test("readiness and log report when a database becomes read-only, and when it accepts writes again")
    func becomesReadOnly() async throws {
        let server = try await TestServer.start()
        let instance = try await KeywardProcess.start(database: server.connectionString)
        let key = try await instance.create()
        try await Psql.run(
            "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()",
            on: server.connectionString)
        let isSaid = await eventually {
            let answer = try? await instance.ready()
            return answer?.object["reason"] as? String == "database_read_only"
                && answer?.object["status"] as? String == "degraded" && answer?.status == 200
        }
        #expect(isSaid)
        let refused = try await instance.admin(.POST, body: #"{"name":"n"}"#)
        #expect(refused.status == 503 && refused.code == "feature_unavailable")
        #expect(try await instance.call(key.value).status == 200)
        let lines = instance.logText.split(separator: "\n").filter { $0.contains("the database is read-only") }
        #expect(lines.count == 1, "\(instance.logText)")
        try await Psql.run(
            "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()", on: server.connectionString)
        let isOver = await eventually {
            guard let answer = try? await instance.ready(), answer.object["reason"] == nil else { return false }
            return (try? await instance.create()) != nil
        }
        #expect(isOver)
        #expect(instance.logText.contains("accepts writes again"))
        _ = try await instance.stop()
        await server.destroy()
    }

    @Test("a write that is refused as read-only is reported at once, although other sessions still write")
    func mixedSessions() async throws {
        let server = try await TestServer.start()
        let instance = try await KeywardProcess.start(database: server.connectionString)
        try await Psql.run("ALTER DATABASE keyward SET default_transaction_read_only = on", on: server.connectionString)
        try await Psql.run(
            "SET default_transaction_read_only = off",
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'keyward'",
            on: server.connectionString)
        let isRefused = await eventually {
            let answer = try? await instance.admin(.POST, body: #"{"name":"n"}"#)
            let readiness = try? await instance.ready()
            return answer?.status == 503 && readiness?.object["reason"] as? String == "database_read_only"
        }
        #expect(isRefused, "\(instance.logText)")
        try await Psql.run(
            "SET default_transaction_read_only = off", "ALTER DATABASE keyward RESET default_transaction_read_only",
            on: server.connectionString)
        let isOver = await eventually {
            guard (try? await instance.create()) != nil else { return false }
            return (try? await instance.ready())?.object["reason"] == nil
        }
        #expect(isOver, "\(instance.logText)")
        _ = try await instance.stop()
        await server.destroy()
    }

    @Test("a start that waits for a lock logs the lock and its holder")
    func lockedOut() async throws {
        let database = try await TestDatabase.create()
        let first = try await KeywardProcess.start(database: database.connectionString)
        _ = try await first.stop()
        let holder = Task {
            try await Psql.run(
                "BEGIN; LOCK TABLE auth_keys IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)",
                on: database.connectionString + " application_name=holder")
        }
        let isHeld = try await eventually {
            try await Psql.run(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'",
                on: database.connectionString) == "1"
        }
        #expect(isHeld)
        let result = try await KeywardProcess.run(
            ["serve"] + Self.ports,
            environment: Self.environment(database.connectionString).merging(["KEYWARD_LOG_LEVEL": "warning"]) { $1 },
            terminatedAfter: "waits for a lock that another session holds")
        #expect(result.error.contains("auth_keys") && result.error.contains("holder"), "\(result.error)")
        holder.cancel()
        _ = try? await holder.value
        try await database.drop()
    }
}
