import Logging
import TestSupport
import Testing

@testable import AuthKeys

@Suite("Admin credentials")
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

    private func admin(_ value: String, _ credentials: AdminCredentials) async throws -> Admin? {
        guard case .valid(let admin) = try await credentials.authenticate(value, for: [.verify]) else { return nil }
        return admin
    }

    @Test("a flood of unknown keys causes a bounded number of lookups and delays no known key")
    func flood() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store, lookupsPerSecond: 2)
        let known = try await key(store)
        try await credentials.refresh()
        for _ in 0..<100 {
            let token = Token.generate(prefix: AdminKey.prefix).value
            #expect(try await credentials.authenticate(token, for: [.verify]) == .unknown)
        }
        let late = try await key(store)
        #expect(try await credentials.authenticate(late, for: [.verify]) == .unknown, "the budget is used up")
        #expect(try await admin(known, credentials)?.permissions == [.verify])
        try await credentials.refresh()
        #expect(try await admin(late, credentials) != nil)
    }

    @Test("a new key costs one lookup, whatever its permission")
    func freshKey() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store, lookupsPerSecond: 2)
        let fresh = try await key(store)
        for _ in 0..<100 { #expect(try await admin(fresh, credentials) != nil) }
    }

    @Test("a key created on this instance is known at once, even with the budget used up")
    func createdLocally() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store, lookupsPerSecond: 1)
        let service = AdminKeyService(store: store, hasBootstrapKey: true, credentials: credentials, time: clock.source)
        for _ in 0..<100 {
            _ = try await credentials.authenticate(Token.generate(prefix: AdminKey.prefix).value, for: [.verify])
        }
        let attributes = AdminKeyAttributes(name: "n", permissions: [.verify])
        let (_, token) = try await service.create(attributes, by: .test)
        #expect(try await admin(token.value, credentials) != nil)
    }

    @Test("beyond the budget, a key created elsewhere waits for the next renewal of the copy")
    func waitsForRenewal() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store, lookupsPerSecond: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await credentials.run() }
            while (try? credentials.authenticateFromMemory(Token.generate(prefix: AdminKey.prefix).value, for: .verify))
                == nil
            {
                await Task.yield()
            }
            // The burst is five times the rate.
            for _ in 0..<5 {
                _ = try await credentials.authenticate(Token.generate(prefix: AdminKey.prefix).value, for: [.verify])
            }
            let late = try await key(store)
            let attempt = Task { try await admin(late, credentials) }
            let junk = Task {
                try await credentials.authenticate(Token.generate(prefix: AdminKey.prefix).value, for: [.verify])
            }
            let advancing = Task {
                while !Task.isCancelled {
                    clock.advance(by: .milliseconds(100))
                    try? await Task.sleep(for: .milliseconds(1))
                }
            }
            #expect(try await attempt.value != nil)
            #expect(try await junk.value == .unknown)
            advancing.cancel()
            group.cancelAll()
        }
    }

    @Test("a read that began before a change on this instance does not count as a renewal")
    func staleRead() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store)
        let service = AdminKeyService(store: store, hasBootstrapKey: true, credentials: credentials, time: clock.source)
        clock.advance(by: .seconds(1))
        _ = try await service.create(AdminKeyAttributes(name: "n", permissions: [.verify]), by: .test)
        clock.advance(by: .seconds(-1))
        #expect(try await !credentials.refresh())
        clock.advance(by: .seconds(1))
        #expect(try await credentials.refresh())
    }

    @Test("the copy is used up to its maximum age and applies expiry itself")
    func copy() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store)
        let value = try await key(store, expiresAt: clock.source.now().advanced(by: .seconds(50)))
        #expect(throws: StoreError.self) { try credentials.authenticateFromMemory(value, for: .verify) }
        try await credentials.refresh()
        store.isDown = true
        guard case .valid(let admin) = try credentials.authenticateFromMemory(value, for: .verify) else {
            Issue.record("not valid")
            return
        }
        let other = Token.generate(prefix: AdminKey.prefix).value
        #expect(try credentials.authenticateFromMemory(other, for: .verify) == .unknown)
        clock.advance(by: .seconds(55))
        #expect(try credentials.authenticateFromMemory(value, for: .verify) == .refused(admin, .expired))
        clock.advance(by: .seconds(10))
        #expect(throws: StoreError.self) { try credentials.authenticateFromMemory(value, for: .verify) }
        #expect(try credentials.authenticateFromMemory("nonsense", for: .verify) == .unknown)
    }

    @Test(
        "a deactivation on another instance survives a database that lost it, and is written back"
    )
    func lostDeactivation() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store)
        let value = try await key(store)
        try await credentials.refresh()
        let saved = store.snapshot()
        let id = try #require(try await store.adminKeysByDigest().values.first).id
        _ = try await store.deactivateAdminKey(id, keepsLast: false, by: .test)
        clock.advance(by: .seconds(1))
        try await credentials.refresh()
        store.restore(saved, as: "two")
        #expect(try await admin(value, credentials) == nil)
        clock.advance(by: .seconds(1))
        try await credentials.refresh()
        let restored = try await store.adminKey(id)
        #expect(restored?.deactivatedAt != nil)
        #expect(try await admin(value, credentials) == nil)
        let (unknown, authentication) = (
            AdminAuthentication.unknown, try await credentials.authenticate(value, for: [.verify])
        )
        #expect(authentication != unknown, "its owner is still known")
    }

    @Test("an authorized use against the copy is recorded once a minute, an unauthorized one is not")
    func use() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store)
        let value = try await key(store)
        try await credentials.refresh()
        func lastUse() async throws -> Timestamp? { try await store.adminKeysByDigest().values.first?.lastUsedAt }
        _ = try credentials.authenticateFromMemory(value, for: .keysRead)
        try await credentials.noteUses()
        #expect(try await lastUse() == nil, "the key lacks this permission")
        _ = try credentials.authenticateFromMemory(value, for: .verify)
        try await credentials.noteUses()
        try await credentials.refresh()
        let first = clock.source.now()
        #expect(try await lastUse() == first)
        for (advance, expected) in [(30, first), (31, first.advanced(by: .seconds(61)))] {
            clock.advance(by: .seconds(advance))
            try await credentials.refresh()
            _ = try credentials.authenticateFromMemory(value, for: .verify)
            try await credentials.noteUses()
            #expect(try await lastUse() == expected)
        }
    }

    @Test("a deactivated key is looked up once, and refused as itself even during a flood of unknown keys")
    func deactivated() async throws {
        let store = InMemoryStore(time: clock.source)
        let credentials = credentials(store, lookupsPerSecond: 2)
        let value = try await key(store)
        guard case .valid(let admin) = try await credentials.authenticate(value, for: [.verify]),
            case .adminKey(let id, _) = admin.actor
        else {
            Issue.record("not valid")
            return
        }
        _ = try await store.deactivateAdminKey(id, keepsLast: false, by: .test)
        try await credentials.refresh()
        #expect(try await credentials.authenticate(value, for: [.verify]) == .refused(admin, .inactive))
        for _ in 0..<20 {
            let token = Token.generate(prefix: AdminKey.prefix).value
            _ = try await credentials.authenticate(token, for: [.verify])
        }
        store.isDown = true
        #expect(try await credentials.authenticate(value, for: [.verify]) == .refused(admin, .inactive))
        #expect(try credentials.authenticateFromMemory(value, for: .verify) == .refused(admin, .inactive))
    }
}
