import NIOHTTP1
import TestSupport
import Testing

@Suite("Limits of running instances", .timeLimit(.minutes(10)))
struct LimitTests {
    @Test("metrics count requests that take units, and not explanations")
    func metrics() async throws {
        let database = try await TestDatabase.create()
        let instance = try await KeywardProcess.start(database: database.connectionString)
        let key = try await instance.create("limited", #","limits":[{"name":"hour","limit":1,"per":"1h"}]"#)
        let statuses = [try await instance.call(key.value).status, try await instance.call(key.value).status]
        #expect(statuses == [200, 429])
        for _ in 0..<3 {
            let explained = try await instance.admin(.GET, "/\(key.id)/explain?method=GET&path=/")
            #expect(explained.status == 200, "\(explained.text)")
        }
        for outcome in ["allowed", "limited"] {
            let name = #"keyward_limit_decisions_total{outcome="\#(outcome)"}"#
            let count = try await instance.metric(name)
            #expect(count == 1, "\(outcome)")
        }
        _ = try await instance.stop()
        try await database.drop()
    }

    @Test("two instances share a limit, and a reset on one gives units to requests on both")
    func shared() async throws {
        let database = try await TestDatabase.create()
        let one = try await KeywardProcess.start(database: database.connectionString)
        let other = try await KeywardProcess.start(database: database.connectionString)
        let key = try await one.create("limited", #","limits":[{"name":"hour","limit":20,"per":"1h"}]"#)
        /// Sends requests to both in turn until each has refused several in a row, and returns the number admitted.
        func exhaust() async throws -> Int {
            var (admitted, refused) = (0, 0)
            while refused < 40 {
                for instance in [one, other] {
                    let status = try await instance.call(key.value).status
                    guard status == 200 || status == 429 else { continue }
                    admitted += status == 200 ? 1 : 0
                    refused = status == 200 ? 0 : refused + 1
                }
                try await Task.sleep(for: .milliseconds(20))
            }
            return admitted
        }
        for instance in [one, other] {
            try await eventually("the instances know each other") {
                try await instance.metric("keyward_instances") == 2
            }
        }
        try await eventually("the other instance knows the key") {
            try await other.call(key.value, path: "/warm").status == 200
        }
        let first = try await exhaust()
        #expect((15...22).contains(first), "\(first)")
        let reset = try await one.admin(.POST, "/\(key.id)/limits/hour/reset")
        #expect(reset.status == 204, "\(reset.text)")
        let next = try await one.call(key.value).status
        #expect(next == 200)
        try await eventually("the other instance has units") { try await other.call(key.value).status == 200 }
        for instance in [one, other] { _ = try await instance.stop() }
        try await database.drop()
    }
}
