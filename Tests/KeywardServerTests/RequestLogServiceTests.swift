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

    @Test("an instance without a log makes no partition", arguments: ["off", "none"])
    func off(_ mode: String) async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(
            database: database.connectionString, arguments: ["--request-log", mode])
        try await Task.sleep(for: .seconds(1))
        #expect(try await Psql.run(Self.partitions, on: database.connectionString) == "0")
        #expect(try await instance.stop() == 0)
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
