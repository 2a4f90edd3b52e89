import AuthKeysPostgres
import Foundation
import KeyAdministrationPostgres
import LibPQ
import Logging
import TestSupport

@testable import AuthKeys
@testable import KeyAdministration

/// An instance that verifies keys from a PostgreSQL in which a test injects faults.
struct FaultInstance: Sendable {
    let verification: PostgresVerification
    let server: TestServer
    let database: String

    /// The name of the database of all instances in these tests.
    static let database = "faults"

    var store: PostgresAuthKeyStore { PostgresAuthKeyStore(feed: verification.feed) }
    var index: KeyIndex { verification.index }

    /// Prints the log of the instance if `KEYWARD_TEST_LOG` is set.
    private static let logger =
        ProcessInfo.processInfo.environment["KEYWARD_TEST_LOG"] == nil
        ? StoreFixture.logger
        : Logger(label: "instance") { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = .debug
            return handler
        }

    /// Migrates a database of a server, loads and follows the keys, and runs `body` at the same time.
    static func with(
        _ server: TestServer, reconciliation: Duration = .seconds(600),
        _ body: @Sendable (FaultInstance) async throws -> Void
    ) async throws {
        try await Psql.run("CREATE DATABASE \(Self.database)", on: server.connectionString)
        let target = try PostgresTarget(server.connectionString(database: Self.database))
        let connection = try await PostgresConnection.connect(to: target, logger: StoreFixture.logger)
        try await MigrationRunner(logger: StoreFixture.logger).up(on: connection)
        await connection.close()
        let verification = PostgresVerification(
            target: target, maxStaleness: .seconds(3_600), usageInterval: nil, reconciliation: reconciliation,
            writesBack: true, logger: logger)
        let instance = FaultInstance(verification: verification, server: server, database: Self.database)
        try await verification.withConnections {
            let watermark = try await verification.load()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await verification.follow(from: watermark) }
                defer { group.cancelAll() }
                try await body(instance)
            }
        }
    }

    func create(_ name: String) async throws -> NewKey {
        let key = StoreConformance.newKey(name: name)
        guard case .created = try await store.create(key, claim: nil) else {
            throw StoreError(.failed, detail: "not created")
        }
        return key
    }

    /// Creates a key as soon as a server that was restarted accepts connections.
    func createAfterRestart(_ name: String) async throws -> NewKey {
        var created: Result<NewKey, any Error> = .failure(StoreError(.failed, detail: "not attempted"))
        _ = await eventually {
            do {
                created = .success(try await create(name))
                return true
            } catch let error as StoreError where error.kind == .unavailable {
                created = .failure(error)
                return false
            } catch {
                created = .failure(error)
                return true
            }
        }
        return try created.get()
    }

    func createMany(_ count: Int) async throws -> [NewKey] {
        try await withThrowingTaskGroup(of: NewKey.self) { group in
            for number in 0..<count { group.addTask { try await create("n\(number)") } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    /// Returns true if a key is accepted.
    func accepts(_ key: NewKey) -> Bool { accepts(key.digest) }

    func accepts(_ digest: SecretDigest) -> Bool {
        index.withKey(for: digest) { $0.evaluate(.unknown, at: .now).refusal == nil } ?? false
    }

    /// Runs an operator's statements, and repeats each until the server accepts it.
    func sql(_ statements: String...) async throws {
        for statement in statements {
            var last: (any Error)?
            let isDone = await eventually {
                do {
                    try await Psql.run(statement, on: server.connectionString(database: database))
                    return true
                } catch {
                    last = error
                    return false
                }
            }
            if !isDone, let last { throw last }
        }
    }

    /// Returns descriptions of the differences between the table and the index. Keys that are expired or revoked in
    /// both count as equal.
    func differences() async throws -> [String] {
        let rows = Collected()
        _ = try await store.changes(since: nil) { rows.append($0) }
        var found: [String] = []
        for row in rows.entries {
            let isOver = row.state.isFinal || row.hasEnded(at: .now)
            if isOver, index.state(of: row.digest)?.isFinal == true { continue }
            let comparison = index.comparison(with: row, at: .now)
            if comparison != .same { found.append("\(row.name): \(comparison), version \(row.version) \(row.state)") }
        }
        let known = Set(rows.entries.map(\.digest))
        let held = (0..<256).flatMap { index.versions(in: DigestRange(number: $0, bits: 8)).keys }
        if !known.isSuperset(of: held) { found.append("keys in memory that are not in the table") }
        return found
    }
}
