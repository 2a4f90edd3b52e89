import AuthKeys
import AuthKeysPostgres
import KeyAdministrationPostgres
import LibPQ
import TestSupport
import Testing

@Suite("Changes with a lost result", .serialized, .timeLimit(.minutes(10)))
struct UnknownOutcomeTests {
    @Test(
        "a change with a lost result has an unknown outcome, and is carried out once",
        arguments: [LossyProxy.Fault.disconnect, .silence])
    func lostAnswer(_ fault: LossyProxy.Fault) async throws {
        try await Self.with { fixture, store, proxy in
            for change in StoreChange.allCases {
                let keys = try await StoreChange.prepare(store)
                let (request, before) = ("lost-\(change)", proxy.faults)
                proxy.set(fault, after: request)
                let kind = try await Self.failure { try await change.run(store, on: keys, requestID: request) }
                #expect(kind == .outcomeUnknown && proxy.faults == before + 1, "\(change)")
                #expect(try await Self.events(request, fixture) == 1, "\(change)")
                proxy.set(nil)
            }
        }
    }

    @Test("each caller of a lost batch gets an unknown outcome, and no key is created twice")
    func lostBatch() async throws {
        try await Self.with { fixture, store, proxy in
            let keys = try await StoreChange.prepare(store)
            proxy.set(.disconnect, after: "lost-batch")
            let kinds = try await withThrowingTaskGroup(of: StoreError.Kind?.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await Self.failure {
                            try await StoreChange.create.run(store, on: keys, requestID: "lost-batch")
                        }
                    }
                }
                return try await group.reduce(into: [StoreError.Kind?]()) { $0.append($1) }
            }
            #expect(kinds == Array(repeating: .outcomeUnknown, count: 20))
            #expect(proxy.faults < 20)
            #expect(try await Self.events("lost-batch", fixture) == 20)
        }
    }

    @Test("a change whose connection is lost before the commit fails as unavailable")
    func lostBeforeCommit() async throws {
        try await Self.with { fixture, store, proxy in
            let changes: [StoreChange] = [
                .createWithClaim, .update, .delete, .rotate, .updateAdminKey, .deactivateAdminKey, .importKeys,
            ]
            for change in changes {
                let keys = try await StoreChange.prepare(store)
                let request = "lost-\(change)"
                proxy.set(.cut, after: request)
                let kind = try await Self.failure { try await change.run(store, on: keys, requestID: request) }
                #expect(kind == .unavailable, "\(change)")
                #expect(try await Self.events(request, fixture) == 0, "\(change)")
                proxy.set(nil)
            }
        }
    }

    /// Runs `body` with a store behind a proxy, with a short query timeout.
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

    /// Returns the kind of the error that `body` throws; nil if it throws none.
    private static func failure(_ body: () async throws -> Void) async throws -> StoreError.Kind? {
        do {
            try await body()
            return nil
        } catch let error as StoreError {
            return error.kind
        }
    }

    private static func events(_ request: String, _ fixture: StoreFixture) async throws -> Int {
        try await fixture.admin.query("SELECT FROM audit_events WHERE request_id = $1", [.text(request)]).rows.count
    }
}
