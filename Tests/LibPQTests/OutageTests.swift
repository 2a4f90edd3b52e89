import Glibc
import Synchronization
import TestSupport
import Testing

@testable import LibPQ

/// Tests of calls while the server stops, hangs or restarts. Each test has its own server.
@Suite("Outages of the server", .serialized) struct OutageTests {
    @Test("during restarts under load, calls fail only as unavailable", .timeLimit(.minutes(6)))
    func restartUnderLoad() async throws {
        let server = try await TestServer.start()
        let configuration = PoolConfiguration(maximumConnections: 4, acquireTimeout: .seconds(2))
        try await withPool(configuration, settings: .init(queryTimeout: .seconds(2)), to: server) { pool in
            let load = Load()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { try await load.run(on: pool) } }
                try await eventually("the load to start") { load.firstSuccess != nil }
                for crashes in [false, true] {
                    if crashes { await server.crash() } else { await server.stop() }
                    try await Task.sleep(for: .milliseconds(700))
                    try await server.start()
                    load.forgetSuccess()
                    try await eventually("the load to recover") { load.firstSuccess != nil }
                }
                load.stop()
                try await group.waitForAll()
            }
            #expect(load.otherErrors == [])
        }
        await server.destroy()
    }

    @Test("calls to a hanging server end at the timeout, or when cancelled", .timeLimit(.minutes(6)))
    func hangingServer() async throws {
        let server = try await TestServer.start()
        let connection = try await connect(to: server)
        let idle = try await connect(to: server)
        await server.pause()
        let start = ContinuousClock.now
        let error = await postgresError { _ = try await connection.query("SELECT 1", timeout: .milliseconds(300)) }
        #expect(error?.kind == .timeout)
        #expect(error?.isUnavailable == true)
        #expect(.now - start < .seconds(30))
        #expect(!connection.isUsable)
        let task = Task { try await idle.query("SELECT 1") }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        #expect(await postgresError { _ = try await task.value }?.kind == .cancelled)
        let connecting = await postgresError {
            _ = try await connect(ConnectionSettings(connectTimeout: .milliseconds(300)), to: server)
        }
        #expect(connecting?.kind == .timeout)
        #expect(.now - start < .seconds(30))
        server.resume()
        await server.destroy()
    }

    @Test("a pool recovers after its server hangs", .timeLimit(.minutes(6)))
    func poolRecovers() async throws {
        let server = try await TestServer.start()
        let configuration = PoolConfiguration(maximumConnections: 2, acquireTimeout: .milliseconds(500))
        let settings = ConnectionSettings(connectTimeout: .seconds(1), queryTimeout: .milliseconds(500))
        try await withPool(configuration, settings: settings, to: server) { pool in
            try await eventually("the first connection") { (try? await pool.query("SELECT 1")) != nil }
            await server.pause()
            for _ in 0..<20 {
                let start = ContinuousClock.now
                let error = await postgresError { _ = try await pool.query("SELECT 1") }
                #expect(error?.isUnavailable == true)
                #expect(.now - start < .seconds(30))
            }
            server.resume()
            try await eventually("the pool to recover", within: .seconds(10)) {
                (try? await pool.query("SELECT 1")) != nil
            }
        }
        await server.destroy()
    }
}

/// A load of repeated queries that continues after errors.
private final class Load: Sendable {
    private struct State {
        var isStopped = false
        var firstSuccess: ContinuousClock.Instant?
        var otherErrors: [String] = []
    }

    private let state = Mutex(State())

    /// The time of the first success since `forgetSuccess`.
    var firstSuccess: ContinuousClock.Instant? { state.withLock { $0.firstSuccess } }
    /// The errors for which `isUnavailable` is false.
    var otherErrors: [String] { state.withLock { $0.otherErrors } }

    func forgetSuccess() { state.withLock { $0.firstSuccess = nil } }
    func stop() { state.withLock { $0.isStopped = true } }

    func run(on pool: PostgresPool) async throws {
        while !state.withLock({ $0.isStopped }) {
            do throws(PostgresError) {
                _ = try await pool.query("SELECT 1")
                let now = ContinuousClock.now
                state.withLock { $0.firstSuccess = $0.firstSuccess ?? now }
            } catch {
                if !error.isUnavailable { state.withLock { $0.otherErrors.append(error.debugDescription) } }
                try? await Task.sleep(for: .milliseconds(2))
            }
        }
    }
}
