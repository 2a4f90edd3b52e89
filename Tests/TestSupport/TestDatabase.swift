import Synchronization

/// An empty database for one test, on the single server of this test process.
///
/// The first call of ``create(template:)`` starts the server, which ends with the process.
public struct TestDatabase: Sendable {
    /// Unique in this test process.
    public let name: String
    /// The connection string, with libpq keywords.
    public let connectionString: String
    /// The connection string of another database of the server, whose sessions have none of this one's defaults.
    public let maintenanceConnectionString: String

    private static let server = Task { try await TestServer.start() }
    private static let count = Atomic(0)

    /// Creates a database, empty or as a copy of `template`, to which no session may be connected meanwhile.
    /// - Parameter locale: the locale of an empty database; nil for the server's own.
    public static func create(template: String? = nil, locale: String? = nil) async throws -> TestDatabase {
        let server = try await server.value
        let name = "test_\(count.add(1, ordering: .relaxed).newValue)"
        let source = locale.map { "template0 LOCALE '\($0)'" } ?? template ?? "template1"
        try await Psql.run("CREATE DATABASE \(name) TEMPLATE \(source)", on: server.connectionString)
        return TestDatabase(
            name: name, connectionString: server.connectionString(database: name),
            maintenanceConnectionString: server.connectionString)
    }

    /// Drops the database and terminates its sessions.
    public func drop() async throws {
        try await Psql.run("DROP DATABASE IF EXISTS \(name) WITH (FORCE)", on: Self.server.value.connectionString)
    }
}
