import Synchronization

/// An empty database of its own for one test, on the one server of this test process.
///
/// The server is started by the first call of ``create(template:)`` and ends with the process.
public struct TestDatabase: Sendable {
    /// Unique in this test process.
    public let name: String
    /// Where to connect, as a libpq keyword string.
    public let connectionString: String
    /// Where to connect to another database of the same server, whose sessions have none of this one's defaults.
    public let maintenanceConnectionString: String

    private static let server = Task { try await TestServer.start() }
    private static let count = Atomic(0)

    /// Makes a database, empty or as a copy of `template`, to which no one may be connected meanwhile.
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

    /// Removes it, and throws out who is still connected.
    public func drop() async throws {
        try await Psql.run("DROP DATABASE IF EXISTS \(name) WITH (FORCE)", on: Self.server.value.connectionString)
    }
}
