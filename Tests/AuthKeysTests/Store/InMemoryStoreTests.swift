import TestSupport
import Testing

@testable import AuthKeys

@Suite("The in-memory store keeps the promises of a store")
struct InMemoryStoreTests {
    @Test(arguments: StoreConformance.all)
    func keeps(_ promise: StoreConformance) async throws {
        try await promise.check(InMemoryStore())
    }

    @Test(arguments: AdminConformance.all)
    func keeps(_ promise: AdminConformance) async throws {
        try await promise.check(InMemoryStore())
    }
}
