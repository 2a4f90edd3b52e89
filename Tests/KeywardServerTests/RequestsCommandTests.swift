import AuthKeys
import ControlBodies
import Foundation
import HTTPCredentials
import NIOHTTP1
import TestSupport
import Testing

@testable import KeywardServer

@Suite("Request log commands", .timeLimit(.minutes(6)))
struct RequestsCommandTests {
    private struct Stage {
        let instance: KeywardProcess
        let database: TestDatabase

        var environment: [String: String] {
            ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        }

        func keyward(_ arguments: String...) async throws -> (status: Int32, output: String, error: String) {
            try await KeywardProcess.run(["requests"] + arguments, environment: environment)
        }

        func insert(
            key: String? = nil, owner: String? = nil, path: String = "/v1/reports", status: Int = 200, outcome: Int = 1,
            code: String? = nil
        ) async throws -> String {
            var source = RequestIDSource()
            let id = source.next().description
            try await Psql.run(
                RequestLogRows.insert(
                    id, key: key, owner: owner, path: path, status: status, outcome: outcome, code: code),
                on: database.connectionString)
            return id
        }
    }

    private static func with(_ body: (Stage) async throws -> Void) async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        try await Psql.run(RequestLogRows.partition, on: database.connectionString)
        do {
            try await body(Stage(instance: instance, database: database))
        } catch {
            await instance.crash()
            throw error
        }
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("requests are listed, shown and exported, with text and JSON output")
    func listing() async throws {
        try await Self.with { stage in
            let key = try await stage.instance.create("build server", #","owner":"acme/ci""#)
            let limited = try await stage.insert(
                key: key.id, owner: "acme/ci", status: 429, outcome: 3, code: "too_many_concurrent_requests")
            let failed = try await stage.insert(path: "/v1/evil\u{9B}31m", status: 502, outcome: 4)
            for _ in 0..<3 { _ = try await stage.insert(path: "/other") }

            let table = try await stage.keyward("list", "--path", "/v1")
            #expect(table.status == 0 && table.output.hasPrefix("AT"), "\(table)")
            #expect(
                table.output.contains("limited: too_many_concurrent_requests") && table.output.contains("build server"))
            #expect(
                table.output.contains(failed) && !table.output.contains("\u{9B}") && !table.output.contains("/other"))
            let filtered = try await stage.keyward(
                "list", "--status", "4xx", "--since", "1h", "--owner", "acme/**", "--key-id", key.id, "--json")
            let lines = try #require(
                try JSONSerialization.jsonObject(with: Data(filtered.output.utf8)) as? [[String: Any]])
            #expect(lines.count == 1 && lines.first?["request_id"] as? String == limited, "\(filtered)")
            let paged = try await stage.keyward("list", "--limit", "2", "--path", "/")
            #expect(paged.output.split(separator: "\n").count == 3 && paged.error.contains("--all"), "\(paged)")
            let all = try await stage.keyward("list", "--limit", "2", "--path", "/", "--all", "--json")
            #expect((try JSONSerialization.jsonObject(with: Data(all.output.utf8)) as? [Any])?.count == 5)

            let shown = try await stage.keyward("show", limited)
            for text in [
                "too_many_concurrent_requests", "build server", "acme/ci", "192.0.2.7", "0.345 ms", "gateway",
                "keyward requests list --key-id \(key.id)", "keyward keys show \(key.id)",
                "keyward audit list --key-id",
            ] { #expect(shown.output.contains(text), "\(text): \(shown)") }
            #expect(try await stage.keyward("show", failed).output.contains("keyward keys show") == false)
            #expect(try await stage.keyward("show", limited, "--json").output.contains("\"status\":429"))
            let missing = try await stage.keyward("show", String(repeating: "0", count: 32))
            #expect(missing.status == 3 && missing.error.contains("request not found"), "\(missing)")
            let wrong = try await stage.keyward("list", "--status", "nonsense")
            #expect(wrong.status == 4 && wrong.error.contains("status must be"), "\(wrong)")
            #expect(try await stage.keyward("list", "--owner", "").status == 2)

            let exported = try await stage.keyward("export", "--path", "/other")
            #expect(exported.status == 0 && exported.output.split(separator: "\n").count == 3, "\(exported)")
            let trail = try await KeywardProcess.run(
                ["audit", "list", "--action", "request.export", "--json"], environment: stage.environment)
            #expect(trail.output.contains("request.export"), "\(trail)")
        }
    }

    @Test("tail prints requests as they arrive, also after a restart of the instance, and none twice")
    func tail() async throws {
        let database = try await TestDatabase.create()
        var instance = try await KeywardProcess.start(database: database.connectionString)
        try await Psql.run(RequestLogRows.partition, on: database.connectionString)
        let environment = ["KEYWARD_CONTROL_URL": instance.control, "KEYWARD_ADMIN_KEY": instance.adminKey]
        let before = try await Stage(instance: instance, database: database).insert()
        let text = ChildProcess(
            KeywardProcess.executable, ["requests", "tail", "--status", "2xx"], environment: environment)
        let json = ChildProcess(
            KeywardProcess.executable, ["requests", "tail", "--status", "2xx", "--json"], environment: environment)
        // Lines that arrive before the tails have begun are not printed.
        var sent: [String] = []
        let haveBegun = try await eventually {
            sent.append(try await Stage(instance: instance, database: database).insert())
            try await Task.sleep(for: .milliseconds(300))
            return !text.output.all.isEmpty && !json.output.all.isEmpty
        }
        #expect(haveBegun, "\(text.log.text) \(json.log.text)")
        let other = try await Stage(instance: instance, database: database).insert(status: 404)

        // The shutdown does not wait for the tails.
        let start = ContinuousClock.now
        #expect(try await instance.stop() == 0)
        #expect(.now - start < .seconds(10))
        let port = instance.control.split(separator: ":").last.map(String.init) ?? ""
        let missed = try await Stage(instance: instance, database: database).insert()
        instance = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--control", "127.0.0.1:\(port)"])
        let after = try await Stage(instance: instance, database: database).insert()
        let haveAll = await eventually {
            [text, json].allSatisfy { $0.output.text.contains(missed) && $0.output.text.contains(after) }
        }
        #expect(haveAll, "\(text.output.text) \(text.log.text)")
        for process in [text, json] {
            #expect(!process.output.text.contains(other))
            // At most once, if its time is near that of the reconnection.
            #expect(process.output.text.components(separatedBy: before).count <= 2)
            for id in sent { #expect(process.output.text.components(separatedBy: id).count <= 2) }
            process.send(SIGINT)
            _ = try await process.waitForExit()
        }
        for line in json.output.all {
            #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any], "\(line)")
        }
        let refused = try await KeywardProcess.run(
            ["requests", "tail"],
            environment: environment.merging(["KEYWARD_ADMIN_KEY": "kwa_" + String(repeating: "0", count: 49)]) { $1 })
        #expect(refused.status == 4, "\(refused)")
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("a table fits a terminal of 80 columns", arguments: [80, 100, 200])
    func widths(columns: Int) throws {
        var line = RequestJSON(
            at: "2030-01-31T12:00:00.123Z", requestID: String(repeating: "a", count: 32), method: "OPTIONS",
            path: "/" + String(repeating: "ä", count: 300), status: 200, duration: 12_345.678, bytesIn: 0, bytesOut: 0,
            flags: [], weight: 1)
        line.keyName = String(repeating: "鍵", count: 100)
        line.outcome = "limited"
        line.code = "too_many_concurrent_requests"
        let (lines, _) = RequestTable.table([line]).lines(width: columns)
        for text in lines { #expect(DisplayWidth.of(text) <= columns) }
        #expect(lines.last?.hasSuffix(line.requestID) == true)
        #expect(RequestTable.line(line).contains("12345.678"))
    }

    @Test("events are read from chunks of any size", arguments: [1, 2, 7, 1_000])
    func events(size: Int) {
        let text =
            "retry: 2000\n: alive\nid: a\n\nid: b\ndata: {\"ä\":1}\n\nevent: skipped\ndata: {}\n\ndata:x\nid: c\n"
        var parser = ServerEventParser()
        let bytes = Array(text.utf8)
        let events = stride(from: 0, to: bytes.count, by: size).flatMap {
            parser.read(bytes[$0..<min($0 + size, bytes.count)])
        }
        #expect(
            events == [
                ServerEvent(id: "a"), ServerEvent(id: "b", data: Array("{\"ä\":1}".utf8)),
                ServerEvent(id: "b", type: "skipped", data: Array("{}".utf8)),
            ])
    }
}
