import TestSupport
import Testing

@testable import LibPQ

@Suite("Session settings")
struct SessionSettingsTests {
    @Test("settings are independent of the defaults of the database", arguments: [false, true])
    func values(isPooled: Bool) async throws {
        let database = try await TestDatabase.create()
        for (name, value) in HostileDefaults.ofSetSettings where name != "transaction_timeout" {
            try await Psql.run(
                "ALTER DATABASE \(database.name) SET \(name) = '\(value)'", on: database.maintenanceConnectionString)
        }
        #expect(Set(HostileDefaults.ofSetSettings.keys) == Set(SessionSettings.fixed.map(\.name)))
        let connection = try await PostgresConnection.connect(
            to: PostgresTarget(database.connectionString), settings: ConnectionSettings(isPooled: isPooled),
            logger: quiet)
        for (name, value) in SessionSettings.fixed where name != "transaction_timeout" {
            let seen = try await connection.query("SELECT current_setting($1)", [.text(name)]).rows[0].text(0)
            #expect(seen == value, "\(name)")
        }
        await connection.close()
        try await database.drop()
    }

    @Test("only synchronous_commit = off is changed", arguments: ["on", "off", "local", "remote_apply"])
    func synchronousCommit(_ value: String) async throws {
        let database = try await TestDatabase.create()
        try await Psql.run(
            "ALTER DATABASE \(database.name) SET synchronous_commit = '\(value)'",
            on: database.maintenanceConnectionString)
        let connection = try await PostgresConnection.connect(
            to: PostgresTarget(database.connectionString), logger: quiet)
        let seen = try await connection.query("SHOW synchronous_commit").rows[0].text(0)
        #expect(seen == (value == "off" ? "on" : value))
        await connection.close()
        try await database.drop()
    }

    @Test("transactions through a pooler apply the settings, and leave none in the session")
    func pooled() async throws {
        try await withConnection(ConnectionSettings(isPooled: true)) { connection in
            let script = "SET default_transaction_isolation = serializable; SET TimeZone = 'Asia/Kathmandu'"
            try await connection.execute(script: script)
            let seen = "SELECT current_setting('transaction_isolation') || ' ' || current_setting('TimeZone')"
            #expect(try await connection.query(seen).rows[0].text(0) == "read committed UTC")
            let inside = try await connection.transaction { try await $0.query(seen).rows[0].text(0) }
            #expect(inside == "read committed UTC")
            let copied = Shared("")
            _ = try await connection.copyOut("COPY (\(seen)) TO STDOUT (FORMAT binary)") { row in
                let text = try row.nextText()
                copied.withLock { $0 = text }
            }
            #expect(copied.withLock { $0 } == "read committed UTC")
            let error = await postgresError { _ = try await connection.copyOut("SELECT 1") { _ in } }
            #expect(error?.kind == .invalidParameter)
            #expect(await postgresError { _ = try await connection.query("SELECT 1/0") }?.sqlState == "22012")
            #expect(connection.isUsable)
        }
    }
}
