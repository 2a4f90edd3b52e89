import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("Metrics checked by promtool", .timeLimit(.minutes(6)))
struct MetricsToolTests {
    @Test("promtool accepts the metrics, and each family has a help text and a type")
    func promtool() async throws {
        let database = try await TestDatabase.create()
        let keyward = try await KeywardProcess.start(database: database.connectionString)
        // Some series appear only after the first request of their kind.
        let key = try await keyward.create("n", #","allowed_methods":["POST"],"report_only":["allowed_methods"]"#)
        #expect(try await keyward.call(key.value).status == 200)
        #expect(try await keyward.call(nil).status == 401)
        let text = try await keyward.send(.GET, keyward.control + "/metrics", key: nil).text
        let complaints = try await Self.check(text)
        #expect(complaints.status == 0 && complaints.text.isEmpty, "\(complaints.text)")

        let families = Set(text.matches(of: /(?m)^# TYPE (\S+) \w/).map { String($0.1) })
        let helped = Set(text.matches(of: /(?m)^# HELP (\S+) \S/).map { String($0.1) })
        #expect(families == helped && families.count > 30)
        for line in text.split(separator: "\n") {
            guard let type = line.wholeMatch(of: /# TYPE (\S+) (\w+)/) else { continue }
            #expect(type.1.hasSuffix("_total") == (type.2 == "counter"), "\(line)")
        }
        _ = try await keyward.stop()
        try await database.drop()
    }

    @Test("the metrics of the process and its build are correct")
    func process() async throws {
        let database = try await TestDatabase.create()
        let before = Date.now.timeIntervalSince1970
        let keyward = try await KeywardProcess.start(database: database.connectionString, descriptors: 3_000)
        let text = try await keyward.send(.GET, keyward.control + "/metrics", key: nil).text
        func value(_ name: String) throws -> Double {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") }, "\(name)")
            return try #require(Double(line.dropFirst(name.count + 1)))
        }
        #expect(text.contains(/(?m)^keyward_build_info\{version="\d+\.\d+\.\d+"\} 1\.0$/))
        #expect(try value("process_max_fds") == 3_000)
        let open = Double(keyward.openDescriptors)
        #expect(try abs(value("process_open_fds") - open) <= 20 && open > 5)
        let started = try value("process_start_time_seconds")
        #expect(started > before - 2 && started <= Date.now.timeIntervalSince1970 + 1)
        #expect(try value("process_cpu_seconds_total") > 0.001)
        let status = try String(contentsOfFile: "/proc/\(keyward.processID)/status", encoding: .utf8)
        let kilobytes = try #require(status.firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Double($0.1) })
        #expect(try (0.5...2).contains(value("process_resident_memory_bytes") / 1_024 / kilobytes))
        _ = try await keyward.stop()
        try await database.drop()
    }

    @Test("promtool reports faults")
    func wrong() async throws {
        #expect(try await Self.check("# TYPE a counter\na 1\n").text.contains("_total"))
        #expect(try await Self.check("a{ 1\n").status != 0)
    }

    private static func check(_ text: String) async throws -> (status: Int32, text: String) {
        guard let promtool = TestTool.installed("promtool") else {
            throw TestSupportError("promtool is not here: run scripts/test-tools")
        }
        let folder = try TestFolder.make("metrics")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try text.write(toFile: folder + "/metrics", atomically: true, encoding: .utf8)
        let process = ChildProcess("/bin/sh", ["-c", #""$0" check metrics < metrics"#, promtool], folder: folder)
        let status = try await process.waitForExit()
        return (status, process.output.text + process.log.text)
    }
}
