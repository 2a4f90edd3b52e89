import Logging
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Who is an admin")
struct AdminCredentialsTests {
    private let clock = ManualClock()

    private func credentials(_ store: InMemoryStore, lookupsPerSecond: Int = 20) -> AdminCredentials {
        AdminCredentials(
            bootstrap: nil, store: store, maxStaleness: .seconds(60), lookupsPerSecond: lookupsPerSecond,
            time: clock.source, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func key(_ store: InMemoryStore, expiresAt: Timestamp? = nil) async throws -> String {
        let token = Token.generate(prefix: AdminKey.prefix)
        let key = NewAdminKey(
            id: .generate(),
            attributes: AdminKeyAttributes(name: "n", permissions: [.verify], expiresAt: expiresAt),
            secret: NewSecret(token))
        _ = try await store.createAdminKey(key, by: .test)
        return token.value
    }

    @Test("a flood of unknown keys reaches the database a bounded number of times, and holds no known one back")
    func flood() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store, lookupsPerSecond: 2)
        let known = try await key(store)
        try await credentials.refresh()
        for _ in 0..<100 {
            let token = Token.generate(prefix: AdminKey.prefix).value
            #expect(try await credentials.admin(presenting: token) == nil)
        }
        let late = try await key(store)
        #expect(try await credentials.admin(presenting: late) == nil, "the budget is spent")
        #expect(try await credentials.admin(presenting: known)?.permissions == [.verify])
        try await credentials.refresh()
        #expect(try await credentials.admin(presenting: late) != nil)
    }

    @Test("the copy is gone by as long as it is young enough, and knows expiry by itself")
    func copy() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store)
        let value = try await key(store, expiresAt: clock.source.now().advanced(by: .seconds(50)))
        #expect(throws: StoreError.self) { try credentials.knownAdmin(presenting: value) }
        try await credentials.refresh()
        store.isDown = true
        #expect(try credentials.knownAdmin(presenting: value) != nil)
        #expect(try credentials.knownAdmin(presenting: Token.generate(prefix: AdminKey.prefix).value) == nil)
        clock.advance(by: .seconds(55))
        #expect(try credentials.knownAdmin(presenting: value) == nil, "expired")
        clock.advance(by: .seconds(10))
        #expect(throws: StoreError.self) { try credentials.knownAdmin(presenting: value) }
        #expect(try credentials.knownAdmin(presenting: "nonsense") == nil)
    }
}
