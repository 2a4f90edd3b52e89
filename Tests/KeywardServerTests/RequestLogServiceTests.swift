import Foundation
import Glibc
import NIOHTTP1
import TestSupport
import Testing

@Suite("Request log of an instance", .timeLimit(.minutes(5)))
struct RequestLogServiceTests {
    private static let partitions =
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'request_log'::regclass AND inhrelid <> 0"

    @Test("an instance makes the partitions of the log, and has its metrics")
    func starts() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        try await eventually("the partitions") {
            try await Psql.run(Self.partitions, on: database.connectionString) == "4"
        }
        try await eventually("the metrics") {
            let metrics = try await instance.send(.GET, instance.control + "/metrics", key: nil).text
            return metrics.contains(/\nkeyward_request_log_bytes [1-9]/)
                && metrics.contains(/\nkeyward_request_log_buffered_bytes 0/)
                && metrics.contains(/\nkeyward_request_log_lag_seconds 0/)
        }
        #expect(try await instance.stop() == 0)
        #expect(!instance.logText.contains(/"level":"(warning|error|critical)"/))
        try await database.drop()
    }

    @Test("an instance without lines counts requests, unless roll-ups are off too", arguments: ["off", "none"])
    func off(_ mode: String) async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--request-log", mode])
        for _ in 0..<3 { #expect(try await instance.call(nil).status == 401) }
        #expect(try await instance.stop() == 0)
        let counts = try await Psql.run(
            "SELECT count(*) FROM request_log", "SELECT coalesce(sum(requests), 0) FROM request_minutes",
            on: database.connectionString)
        #expect(counts == (mode == "off" ? "0\n3" : "0\n0"))
        try await database.drop()
    }

    @Test("a graceful shutdown loses no line and no count, and the sums agree")
    func sums() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let (key, ended) = (try await instance.create(), try await instance.create())
        #expect(try await instance.admin(.POST, "/\(ended.id)/deactivate").status == 204)
        for number in 0..<200 {
            let token = [key.value, ended.value, "junk", nil][number % 4]
            _ = try await instance.call(token, path: "/\(number)")
        }
        let total = try await instance.send(.GET, instance.control + "/metrics", key: nil).text
            .matches(of: /\nkeyward_gateway_requests_total\{[^}]*\} ([0-9]+)/).compactMap { Int($0.1) }.reduce(0, +)
        #expect(total == 200)
        #expect(try await instance.stop() == 0)
        let sums = try await Psql.run(
            "SELECT sum(weight), count(*) - count(DISTINCT id) FROM request_log",
            "SELECT sum(requests) FROM request_minutes",
            "SELECT sum(allowed), sum(denied), sum(limited + failed + terminated) FROM request_hours",
            // Not the requests without a key: some of 100 in a second share a line.
            "SELECT code, count(*) FROM request_log WHERE key_id IS NOT NULL GROUP BY code ORDER BY code NULLS FIRST",
            on: database.connectionString)
        #expect(sums == "200|0\n200\n50|50|0\n|50\nkey_inactive|50")
        try await database.drop()
    }

    @Test("no secret of a request reaches the database, the access log or the API")
    func canaries() async throws {
        let database = try await TestDatabase.create()
        let folder = try TestFolder.make("canaries")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let instance = try await KeywardProcess.start(
            database: database.connectionString,
            arguments: ["--access-log", folder + "/access.log", "--request-log-query", "full"], logLevel: "trace")
        let key = try await instance.create()
        let body = "canarybody0123456789"
        let token = key.value
        let encoded = token.utf8.map { "%" + String($0, radix: 16) }.joined()
        for path in ["/\(token)", "/x/\(encoded)", "/a?key=\(token)&b", "/a?\(encoded)"] {
            let answer = try await instance.send(
                .POST, instance.gateway + path, key: token,
                fields: [
                    ("User-Agent", token), ("Referer", "https://a/\(token)"), ("Cookie", "k=\(token)"), ("X-C", body),
                ],
                body: body + token)
            #expect(answer.status == 200)
        }
        let requests = instance.control + "/admin/api/v1/requests"
        try await eventually("the lines") {
            try await instance.send(.GET, requests, key: instance.adminKey).text.components(separatedBy: "request_id")
                .count == 5
        }
        let shown = try await instance.send(.GET, requests, key: instance.adminKey).text
        #expect(try await instance.stop() == 0)
        let dump = try await Psql.tool("pg_dump", ["-d", database.connectionString])
        let accessLog = try String(contentsOfFile: folder + "/access.log", encoding: .utf8)
        #expect(accessLog.split(separator: "\n").count == 4 && dump.contains("kw_..."))
        // The end of the secret is public (`redacted_value`).
        let secret = token.dropFirst(3).dropLast(4)
        for (name, text) in [("dump", dump), ("access log", accessLog), ("API", shown), ("log", instance.logText)] {
            for start in stride(from: 0, to: secret.count - 12, by: 6) {
                #expect(!text.contains(secret.dropFirst(start).prefix(12)), "a part of the secret is in the \(name)")
            }
            #expect(!text.contains(body), "a body or a field is in the \(name)")
        }
        try await database.drop()
    }

    @Test("the id of a response leads to the key, its owner, the reason, and the other requests of the key")
    func complaint() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let key = try await instance.create("partner", #","owner":"acme/payments""#)
        for _ in 0..<3 { #expect(try await instance.call(key.value, path: "/v1/ok").status == 200) }
        #expect(try await instance.admin(.POST, "/\(key.id)/deactivate").status == 204)
        let refused = try await instance.call(key.value, path: "/v1/reports")
        let id = refused.headers.first(name: "X-Request-Id") ?? ""
        func keyward(_ arguments: String...) async throws -> String {
            let result = try await KeywardProcess.run(
                arguments + ["--control-url", instance.control], environment: ["KEYWARD_ADMIN_KEY": instance.adminKey])
            #expect(result.status == 0, "\(result.error)")
            return result.output
        }
        try await eventually("the line") { try await keyward("requests", "list", "--request-id", id).contains(id) }
        let shown = try await keyward("requests", "show", id)
        for text in [key.id, "partner", "acme/payments", "key_inactive", "401", "/v1/reports"] {
            #expect(shown.contains(text), "\(text) in \(shown)")
        }
        let others = try await keyward("requests", "list", "--key-id", key.id)
        #expect(others.components(separatedBy: "/v1/ok").count == 4 && others.contains("/v1/reports"))
        #expect(try await instance.stop() == 0)
        try await database.drop()
    }

    @Test("SIGUSR1 reopens the access log, and a file that cannot be opened prevents the start")
    func accessLog() async throws {
        let folder = try TestFolder.make("access-log")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let database = try await TestDatabase.create()
        let path = folder + "/access.log"
        let instance = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--access-log", path, "--request-log", "none"])
        #expect(try await instance.call(nil, path: "/one").status == 401)
        try await eventually("the line") {
            (try? String(contentsOfFile: path, encoding: .utf8))?.contains("/one") ?? false
        }
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        kill(instance.processID, SIGUSR1)
        try await eventually("the new file") { FileManager.default.fileExists(atPath: path) }
        #expect(try await instance.call(nil, path: "/two").status == 401)
        #expect(try await instance.stop() == 0)
        #expect(try String(contentsOfFile: path, encoding: .utf8).contains("/two"))
        let refused = try await KeywardProcess.run(
            ["serve", "--access-log", folder + "/none/access.log"],
            environment: ["KEYWARD_DATABASE_URL": database.connectionString, "KEYWARD_ADMIN_KEY": instance.adminKey])
        #expect(
            refused.status != 0 && refused.error.contains("--access-log")
                || refused.error.contains("KEYWARD_ACCESS_LOG"))
        try await database.drop()
    }

    @Test("an instance is ready, and stops, while the table of the log is missing")
    func missingTable() async throws {
        let database = try await TestDatabase.create()
        let first = try await KeywardProcess.start(database: database.connectionString)
        #expect(try await first.stop() == 0)
        try await Psql.run("DROP TABLE request_log", on: database.connectionString)
        let second = try await KeywardProcess.start(database: database.connectionString)
        let key = try await second.create("n")
        #expect(try await second.call(key.value).status == 200)
        #expect(try await second.ready().status == 200)
        #expect(try await second.stop() == 0)
        try await database.drop()
    }
}
