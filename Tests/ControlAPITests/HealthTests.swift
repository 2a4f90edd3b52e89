import AuthKeys
import CoreMetrics
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Health routes")
struct HealthTests {
    @Test("healthz reports alive while the database is unavailable")
    func alive() async throws {
        try await ControlServer.with { server in
            server.store.isDown = true
            let answer = try await server.send(.GET, "/healthz", admin: nil)
            #expect(answer.status == 200 && answer.object["status"] as? String == "alive")
        }
    }

    @Test("readyz reports ready, or degraded with its age")
    func ready() async throws {
        try await ControlServer.with { server in
            let ready = try await server.send(.GET, "/readyz", admin: nil)
            #expect(ready.status == 200 && ready.object["status"] as? String == "ready")
            server.freshness.recordFailure()
            let degraded = try await server.send(.GET, "/readyz", admin: nil)
            #expect(degraded.status == 200 && degraded.object["status"] as? String == "degraded")
            #expect((degraded.object["index_age_seconds"] as? Double).map { $0 > 0 } == true)
        }
    }

    @Test("readiness is degraded, with the reason, while the database refuses writes")
    func readOnly() async throws {
        try await ControlServer.with { server in
            let before = try await server.send(.GET, "/readyz", admin: nil)
            #expect(before.object["reason"] == nil)
            #expect(server.writes.record(isReadOnly: true))
            #expect(!server.writes.record(isReadOnly: true))
            let during = try await server.send(.GET, "/readyz", admin: nil)
            #expect(during.status == 200 && during.object["status"] as? String == "degraded")
            #expect(during.object["reason"] as? String == "database_read_only")
            #expect(server.writes.record(isReadOnly: false))
            let after = try await server.send(.GET, "/readyz", admin: nil)
            #expect(after.object["status"] as? String == "ready" && after.object["reason"] == nil)
        }
    }

    @Test("every response has its own request id, and unknown routes are errors of the API")
    func requestIDs() async throws {
        try await ControlServer.with { server in
            var ids: Set<String> = []
            for path in ["/healthz", "/admin/api/v1/auth-keys", "/nowhere", "/admin", "/%00", "//"] {
                let answer = try await server.send(.GET, path, admin: nil, headers: [("X-Request-Id", "forged")])
                let id = try #require(answer.headers.first(name: "X-Request-Id"))
                #expect(id.count == 32 && id != "forged")
                ids.insert(id)
                if answer.status == 404 {
                    #expect(
                        answer.errorText("type") == "not_found_error" && answer.errorText("code") == "route_not_found")
                }
            }
            #expect(ids.count == 6)
            #expect(try await server.send(.DELETE, "/healthz", admin: nil).status == 405)
        }
    }

    @Test("metrics are Prometheus text")
    func metrics() async throws {
        try await ControlServer.with { server in
            let counter = server.metrics.makeCounter(label: "a.b", dimensions: [("c", "d\"e\\f\ng")])
            counter.increment(by: 3)
            #expect(server.metrics.makeCounter(label: "a.b", dimensions: [("c", "d\"e\\f\ng")]) === counter)
            let timer = server.metrics.makeTimer(label: "t_seconds", dimensions: [])
            timer.recordNanoseconds(3_000_000)
            timer.recordNanoseconds(30_000_000_000)
            let meter = server.metrics.makeMeter(label: "m", dimensions: [])
            meter.increment(by: 5)
            meter.decrement(by: 2)
            server.metrics.gauge("computed") { 7 }
            let answer = try await server.send(.GET, "/metrics", admin: nil)
            #expect(answer.status == 200)
            let lines = Set(answer.text.split(separator: "\n"))
            for line in [
                #"a_b{c="d\"e\\f\ng"} 3"#, "# TYPE a_b counter", #"t_seconds_bucket{le="0.0025"} 0"#,
                #"t_seconds_bucket{le="0.005"} 1"#,
                #"t_seconds_bucket{le="+Inf"} 2"#, "t_seconds_count 2", "t_seconds_sum 30.003", "m 3.0", "computed 7.0",
                "# TYPE t_seconds histogram",
            ] {
                #expect(lines.contains(Substring(line)), "\(line)\n\(answer.text)")
            }
        }
    }
}
