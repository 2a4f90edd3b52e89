import AuthKeys
import AuthKeysPostgres
import LibPQ
import TestSupport
import Testing

@Suite("A change whose answer is lost", .timeLimit(.minutes(5)))
struct UnknownOutcomeTests {
    private static let marker = "request-that-is-lost"

    @Test(
        "has an unknown outcome, and was carried out once",
        arguments: StoreChange.allCases, [LossyProxy.Fault.disconnect, .silence])
    func lostAnswer(_ change: StoreChange, _ fault: LossyProxy.Fault) async throws {
        try await Self.with { fixture, store, proxy in
            let keys = try await StoreChange.prepare(store)
            proxy.set(fault, after: Self.marker)
            let kind = try await Self.failure { try await change.run(store, on: keys, requestID: Self.marker) }
            #expect(kind == .outcomeUnknown)
            #expect(proxy.faults == 1)
            #expect(try await Self.events(fixture) == 1)
            // The next change has another connection, and an answer.
            proxy.set(nil)
            try await change.run(store, on: try await StoreChange.prepare(store), requestID: "another")
        }
    }

    @Test("has an unknown outcome for each caller of a batch, and no key is created twice")
    func lostBatch() async throws {
        try await Self.with { fixture, store, proxy in
            let keys = try await StoreChange.prepare(store)
            proxy.set(.disconnect, after: Self.marker)
            let kinds = try await withThrowingTaskGroup(of: StoreError.Kind?.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await Self.failure {
                            try await StoreChange.create.run(store, on: keys, requestID: Self.marker)
                        }
                    }
                }
                return try await group.reduce(into: [StoreError.Kind?]()) { $0.append($1) }
            }
            #expect(kinds == Array(repeating: .outcomeUnknown, count: 20))
            #expect(proxy.faults < 20)
            #expect(try await Self.events(fixture) == 20)
        }
    }

    @Test(
        "is unavailable where the connection was lost before the commit was sent",
        arguments: [
            StoreChange.createWithClaim, .update, .delete, .rotate, .updateAdminKey, .deactivateAdminKey, .importKeys,
        ])
    func lostBeforeCommit(_ change: StoreChange) async throws {
        try await Self.with { fixture, store, proxy in
            let keys = try await StoreChange.prepare(store)
            proxy.set(.cut, after: Self.marker)
            let kind = try await Self.failure { try await change.run(store, on: keys, requestID: Self.marker) }
            #expect(kind == .unavailable)
            #expect(try await Self.events(fixture) == 0)
        }
    }

    /// A store behind a proxy, whose calls time out soon.
    private static func with(
        _ body: @escaping @Sendable (StoreFixture, PostgresAuthKeyStore, LossyProxy) async throws -> Void
    ) async throws {
        try await StoreFixture.with { fixture in
            let proxy = try await LossyProxy.start(to: fixture.connectionString)
            let settings = ConnectionSettings(queryTimeout: .seconds(2))
            try await fixture.withStore(at: proxy.connectionString, settings: settings) { store in
                try await body(fixture, store, proxy)
            }
            await proxy.stop()
        }
    }

    /// The kind of the error that is thrown; nil if none is.
    private static func failure(_ body: () async throws -> Void) async throws -> StoreError.Kind? {
        do {
            try await body()
            return nil
        } catch let error as StoreError {
            return error.kind
        }
    }

    private static func events(_ fixture: StoreFixture) async throws -> Int {
        try await fixture.admin.query("SELECT FROM audit_events WHERE request_id = $1", [.text(marker)]).rows.count
    }
}
