import AuthKeys
import NIOHTTP1
import TestSupport
import Testing

@Suite("Database outage", .timeLimit(.minutes(6)))
struct OutageTests {
    @Test(
        "valid keys stay valid, admin writes fail, readiness is degraded, and the instance recovers within five seconds"
    )
    func stopped() async throws {
        let server = try await TestServer.start()
        let instance = try await KeywardProcess.start(database: server.connectionString)
        let key = try await instance.create()
        await server.stop()
        let degraded = await eventually(within: .seconds(10)) {
            (try? await instance.ready().object["status"] as? String) == "degraded"
        }
        #expect(degraded)
        for _ in 0..<50 {
            let status = try await instance.call(key.value).status
            #expect(status == 200)
        }
        let unknown = try await instance.call(Token.generate().value)
        #expect(unknown.status == 503 && unknown.headers.first(name: "Retry-After") != nil)
        let malformed = try await instance.call("junk")
        #expect(malformed.status == 401)
        let refused = try await instance.admin(.POST, body: #"{"name":"n"}"#)
        #expect(refused.status == 503 && refused.code == "feature_unavailable")
        #expect(refused.headers.first(name: "Retry-After") != nil)
        let readiness = try await instance.ready()
        #expect(readiness.status == 200)

        try await server.start()
        let well = await eventually(within: .seconds(5)) {
            guard (try? await instance.ready().object["status"] as? String) == "ready" else { return false }
            return (try? await instance.create()) != nil
        }
        #expect(well)
        let revoked = try await instance.admin(.POST, "/\(key.id)/deactivate")
        #expect(revoked.status == 204)
        let after = try await instance.call(key.value).status
        #expect(after == 401)
        let status = try await instance.stop()
        #expect(status == 0)
        await server.destroy()
    }

    @Test("valid keys stay valid while PostgreSQL hangs")
    func hanging() async throws {
        let server = try await TestServer.start()
        let instance = try await KeywardProcess.start(database: server.connectionString)
        let key = try await instance.create()
        await server.pause()
        let degraded = await eventually {
            guard (try? await instance.call(key.value).status) == 200 else { return true }
            return (try? await instance.ready().object["status"] as? String) == "degraded"
        }
        #expect(degraded)
        let status = try await instance.call(key.value).status
        #expect(status == 200)
        server.resume()
        let well = await eventually(within: .seconds(10)) {
            (try? await instance.ready().object["status"] as? String) == "ready"
        }
        #expect(well)
        _ = try await instance.stop()
        await server.destroy()
    }

    @Test("keys are refused after the maximum staleness")
    func staleness() async throws {
        let server = try await TestServer.start()
        let instance = try await KeywardProcess.start(
            database: server.connectionString, arguments: ["--max-staleness", "0"])
        let key = try await instance.create()
        let before = try await instance.call(key.value).status
        #expect(before == 200)
        await server.stop()
        let closed = await eventually(within: .seconds(10)) { (try? await instance.call(key.value).status) == 503 }
        #expect(closed)
        let readiness = try await instance.ready()
        #expect(readiness.status == 503)
        try await server.start()
        let open = await eventually(within: .seconds(10)) { (try? await instance.call(key.value).status) == 200 }
        #expect(open)
        _ = try await instance.stop()
        await server.destroy()
    }
}
