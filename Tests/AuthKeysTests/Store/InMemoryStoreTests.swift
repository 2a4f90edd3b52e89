import TestSupport
import Testing

@testable import AuthKeys

@Suite("In-memory store")
struct InMemoryStoreTests {
    @Test("the store conforms to the key store", arguments: StoreConformance.all)
    func keys(_ requirement: StoreConformance) async throws {
        try await requirement.check(InMemoryStore())
    }

    @Test("the store conforms to the admin store", arguments: AdminConformance.all)
    func administration(_ requirement: AdminConformance) async throws {
        try await requirement.check(InMemoryStore())
    }
}
