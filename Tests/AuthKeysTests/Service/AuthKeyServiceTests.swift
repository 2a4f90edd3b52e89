import TestSupport
import Testing

@testable import AuthKeys
@testable import KeyAdministration

@Suite("Auth key service")
struct AuthKeyServiceTests {
    let clock = ManualClock()
    let store: InMemoryStore
    let index = KeyIndex()
    let service: AuthKeyService

    init() {
        store = InMemoryStore(time: clock.source)
        service = AuthKeyService(store: store, index: index, time: clock.source)
    }

    private func invalid(_ request: KeyRequest) async -> (param: String?, message: String)? {
        do {
            _ = try await service.create(request)
        } catch .invalid(let param, let message) {
            return (param, message)
        } catch {
            Issue.record("another error: \(error)")
        }
        return nil
    }

    @Test("a created key is valid on this instance before the call returns")
    func create() async throws {
        let issued = try await service.create(
            KeyRequest(name: "  build server ", description: " for\nCI ", owner: " team ", scopes: ["a", "b", "a"]))
        #expect(issued.key.name == "build server" && issued.key.description == "for\nCI" && issued.key.owner == "team")
        #expect(issued.key.scopes == ["a", "b"])
        #expect(issued.key.redactedValue == "kw_...\(issued.token.lastFour)")
        #expect(index.withKey(for: issued.token.digest) { $0.principal.name } == "build server")
        #expect(try await service.key(issued.key.id.description) == issued.key)
    }

    @Test("a deactivated key is refused on this instance once the call returns")
    func deactivate() async throws {
        let issued = try await service.create(KeyRequest(name: "n"))
        try await service.deactivate(issued.key.id.description)
        #expect(index.withKey(for: issued.token.digest) { $0.state } == .deactivated)
        try await service.deactivate(issued.key.id.description)
        #expect(index.withKey(for: issued.token.digest) { $0.state } == .deactivated)
    }

    @Test(
        "an unknown or invalid id is not found",
        arguments: ["", "x", "0190163d-8694-739b-8b6e-c1e1b9f4a2d3", "%00"])
    func unknown(id: String) async {
        await #expect(throws: AuthKeyError.notFound(id: id)) { try await service.deactivate(id) }
        await #expect(throws: AuthKeyError.notFound(id: id)) { try await service.key(id) }
    }

    @Test("names and descriptions are validated")
    func texts() async throws {
        for empty in ["", "  ", "\n\t", "\u{3000}"] {
            #expect(try #require(await invalid(KeyRequest(name: empty))) == ("name", "name is required"))
        }
        #expect(
            try #require(await invalid(KeyRequest(name: String(repeating: "n", count: 10_000))))
                == ("name", "name must be at most 200 characters"))
        _ = try await service.create(KeyRequest(name: String(repeating: "é", count: 200)))
        for control in ["a\0b", "a\nb", "a\u{7F}b", "a\u{85}b", "a\u{1B}[31mb", "a\u{2028}b"] {
            #expect(
                try #require(await invalid(KeyRequest(name: control))) == (
                    "name", "name must not contain control characters"
                ))
        }
        #expect(try #require(await invalid(KeyRequest(name: "n", description: "a\0b"))).param == "description")
        #expect(
            try #require(await invalid(KeyRequest(name: "n", description: String(repeating: "d", count: 2_001)))).param
                == "description")
        #expect(try #require(await invalid(KeyRequest(name: "n", owner: "a\0"))).param == "owner")
        for scope in ["", "a b", "a\"b", "a\\b", "é", String(repeating: "s", count: 129)] {
            #expect(try #require(await invalid(KeyRequest(name: "n", scopes: [scope]))).param == "scopes")
        }
        #expect(
            try #require(await invalid(KeyRequest(name: "n", scopes: (0...100).map { "s\($0)" }))).param == "scopes")
        for prefix in ["", "UP", "_a", "a-b"] {
            #expect(try #require(await invalid(KeyRequest(name: "n", prefix: prefix))).param == "prefix")
        }
        #expect(try #require(await invalid(KeyRequest(name: "n", idempotencyKey: "a b"))).param == "Idempotency-Key")
    }

    @Test("an expiry that is not in the future is refused")
    func expiry() async throws {
        let now = clock.source.now()
        for end in [now, now.advanced(by: .seconds(-1)), .minimum] {
            #expect(
                try #require(await invalid(KeyRequest(name: "n", expiresAt: end)))
                    == ("expires_at", "expires_at must be in the future"))
        }
        _ = try await service.create(KeyRequest(name: "n", expiresAt: now.advanced(by: .milliseconds(1))))
    }

    @Test("a repeated idempotency key creates one key and reports its id")
    func idempotency() async throws {
        let request = KeyRequest(name: "n", idempotencyKey: "order-1")
        let issued = try await service.create(request)
        await #expect(throws: AuthKeyError.conflict(.idempotencyReplayed(issued.key.id))) {
            try await service.create(request)
        }
        await #expect(throws: AuthKeyError.conflict(.idempotencyKeyReused)) {
            try await service.create(KeyRequest(name: "other", idempotencyKey: "order-1"))
        }
        #expect(try await service.list(KeyQuery()).keys.count == 1)
    }

    @Test("a page has a cursor if another follows")
    func pages() async throws {
        for number in 0..<5 { _ = try await service.create(KeyRequest(name: "n\(number)")) }
        let whole = try await service.list(KeyQuery(limit: 5))
        #expect(whole.keys.count == 5 && whole.next == nil)
        let first = try await service.list(KeyQuery(limit: 3))
        let second = try await service.list(KeyQuery(limit: 3, after: first.next))
        #expect(first.keys + second.keys == whole.keys && second.next == nil)
    }

    @Test("changes fail as unavailable while the database is down")
    func unavailable() async {
        store.isDown = true
        let down = StoreError(.unavailable, detail: "down")
        await #expect(throws: AuthKeyError.store(down, .duplicating)) {
            try await service.create(KeyRequest(name: "n"))
        }
        await #expect(throws: AuthKeyError.store(down)) { try await service.list(KeyQuery()) }
        #expect(index.count == 0)
    }
}
