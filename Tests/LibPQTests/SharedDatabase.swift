import TestSupport

/// Returns the connection string of the database that all tests of this target share.
func testServer() async throws -> String { try await shared.value.connectionString }

private let shared = Task { try await TestDatabase.create() }

struct Failure: Error { let what: String }
