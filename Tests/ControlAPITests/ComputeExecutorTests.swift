import AuthKeys
import Foundation
import Logging
import NIOHTTP1
import TestSupport
import Testing

@testable import ControlAPI

@Suite("Compute executor")
struct ComputeExecutorTests {
    private static let keys = "/admin/api/v1/auth-keys"

    /// Occupies all threads of an executor until it is released.
    private final class Occupation: Sendable {
        private let gate = DispatchSemaphore(value: 0)
        private let threads: Int

        init(_ executor: ComputeExecutor, threads: Int) async {
            self.threads = threads
            for _ in 0..<threads {
                Task(executorPreference: executor) { [gate] in Self.wait(gate) }
            }
            _ = await eventually { executor.queueLength == 0 }
        }

        private static func wait(_ gate: DispatchSemaphore) { gate.wait() }

        func release() { for _ in 0..<threads { gate.signal() } }
    }

    @Test("a busy executor delays neither revocations nor the feed, health and verification")
    func busy() async throws {
        let executor = ComputeExecutor(threads: 2)
        try await ControlServer.with(computing: executor) { server in
            let kept = try await server.create(#"{"name":"kept"}"#)
            let (id, value) = (kept.object["id"] as? String ?? "", kept.object["value"] as? String ?? "")
            let elsewhere = StoreConformance.newKey()
            _ = try await server.store.create(elsewhere, claim: nil)
            let follower = IndexFollower(
                store: server.store, hints: server.store, index: server.index, freshness: server.freshness,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let watermark = try await follower.load()
            let following = Task { await follower.follow(from: watermark) }
            defer { following.cancel() }

            let occupation = await Occupation(executor, threads: 2)
            let waiting = Task { try await server.send(.GET, Self.keys) }
            #expect(await eventually { executor.queueLength == 1 })

            #expect(try await server.send(.GET, "/healthz", admin: nil).status == 200)
            #expect(try await server.send(.GET, "/readyz", admin: nil).status == 200)
            // A revocation on another instance arrives by the change feed.
            _ = try await server.store.deactivate(elsewhere.id)
            let isRevoked = await eventually {
                server.index.withKey(for: elsewhere.digest) { $0.state } == .deactivated
            }
            #expect(isRevoked)
            // A revocation on this instance completes.
            let headers = [("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/"), ("X-API-Key", value)]
            #expect(try await server.send(.GET, "/v1/forward-auth", admin: nil, headers: headers).status == 200)
            #expect(try await server.send(.POST, "\(Self.keys)/\(id)/deactivate").status == 204)
            #expect(try await server.send(.GET, "/v1/forward-auth", admin: nil, headers: headers).status == 401)

            #expect(executor.queueLength == 1)
            occupation.release()
            #expect(try await waiting.value.status == 200)
        }
    }

    @Test("a request that computes is refused if too many jobs wait")
    func full() async throws {
        let executor = ComputeExecutor(threads: 1)
        try await ControlServer.with(computing: executor) { server in
            let occupation = await Occupation(executor, threads: 1)
            for _ in 0..<ComputeExecutor.limit { Task(executorPreference: executor) {} }
            #expect(await eventually { executor.queueLength == ComputeExecutor.limit })
            let answer = try await server.send(.GET, Self.keys)
            #expect(answer.status == 503 && answer.errorText("code") == "overloaded")
            #expect(answer.headers.first(name: "Retry-After") == "1")
            occupation.release()
            #expect(await eventually { executor.queueLength == 0 })
            #expect(try await server.send(.GET, Self.keys).status == 200)
        }
    }

    @Test("a streamed response body is produced on the executor too")
    func streamed() async throws {
        let executor = ComputeExecutor(threads: 2)
        try await ControlServer.with(computing: executor) { server in
            _ = try await server.create(#"{"name":"n"}"#)
            let answer = try await server.send(.GET, Self.keys + "/export")
            #expect(answer.status == 200 && answer.text.contains("\"name\":\"n\""))
        }
    }
}
