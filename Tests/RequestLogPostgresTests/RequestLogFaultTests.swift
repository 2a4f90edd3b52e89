import AuthKeys
import AuthKeysPostgres
import LibPQ
import RequestLog
import TestSupport
import Testing

@testable import RequestLogPostgres

@Suite("Request log during failures", .serialized, .timeLimit(.minutes(10)))
struct RequestLogFaultTests {
    /// Checks that each line was written once and that none was lost.
    private func expectOnce(_ fixture: LogFixture, _ lines: Int) async throws {
        #expect(
            try await fixture.sql("SELECT count(*), count(DISTINCT path), sum(weight) FROM request_log")
                == "\(lines)|\(lines)|\(lines)")
    }

    @Test("lines wait while PostgreSQL is stopped, and are then written in order")
    func stopped() async throws {
        try await LogFixture.alone { fixture, server in
            let log = RequestLog()
            let lines = LogLines()
            try await fixture.writing(log, logger: lines.log) {
                log.note(0..<100)
                try await eventually("the first lines") { try await fixture.count() == 100 }
                await server.stop()
                for part in 1..<10 {
                    log.note((part * 100)..<((part + 1) * 100))
                    try await Task.sleep(for: .milliseconds(100))
                }
                try await server.start()
                log.note(1_000..<1_100)
                try await eventually("all lines") { try await fixture.count() == 1_100 }
            }
            try await expectOnce(fixture, 1_100)
            let order = try await fixture.sql("SELECT string_agg(path, ' ' ORDER BY ctid) FROM request_log")
            #expect(order == (0..<1_100).map { "/\($0)" }.joined(separator: " "))
            #expect(lines.all.filter { $0.contains("cannot be written") }.count == 1)
            #expect(lines.all.filter { $0.contains("is written again") }.count == 1)
        }
    }

    @Test("lines beyond the buffer are sampled or dropped, and the weights sum to the number of requests")
    func overflow() async throws {
        try await LogFixture.alone { fixture, server in
            let log = RequestLog(capacity: 4 * 65_536)
            try await fixture.writing(log) {
                await server.stop()
                for part in 0..<30 {
                    log.note((part * 1_000)..<((part + 1) * 1_000), prefix: String(repeating: "p", count: 300))
                }
                try await server.start()
            }
            #expect(
                try await fixture.sql("SELECT sum(weight), bool_or(code = 'log_gap') FROM request_log") == "30000|t")
        }
    }

    @Test("sessions that are terminated in a COPY cost no line, and no line is written twice")
    func terminated() async throws {
        try await LogFixture.alone { fixture, _ in
            let log = RequestLog()
            try await fixture.writing(log) {
                let terminating = Task {
                    var count = 0
                    while !Task.isCancelled {
                        let terminated = try await fixture.sql(
                            """
                            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                            WHERE query LIKE 'COPY%' AND state = 'active' AND pid <> pg_backend_pid()
                            """)
                        count += Int(terminated) ?? 0
                        try? await Task.sleep(for: .milliseconds(100))
                    }
                    return count
                }
                for part in 0..<40 {
                    log.note((part * 500)..<((part + 1) * 500))
                    try await Task.sleep(for: .milliseconds(50))
                }
                terminating.cancel()
                _ = try? await terminating.value
            }
            try await expectOnce(fixture, 20_000)
        }
    }

    @Test("the lines of a commit with a lost result are written once", arguments: LossyProxy.Fault.allCases)
    func lostResult(_ fault: LossyProxy.Fault) async throws {
        try await LogFixture.with { fixture in
            try await fixture.tend()
            let proxy = try await LossyProxy.start(to: fixture.connectionString)
            let log = RequestLog()
            try await fixture.writing(
                log, as: PostgresTarget(proxy.connectionString), settings: ConnectionSettings(queryTimeout: .seconds(2))
            ) {
                proxy.set(fault, after: "/lost3")
                log.note(0..<10, prefix: "lost")
                try await eventually("the fault") { proxy.faults > 0 }
                proxy.set(nil)
                log.note(0..<10, prefix: "other")
            }
            try await expectOnce(fixture, 20)
            await proxy.stop()
        }
    }

    @Test(
        "the lines of a commit with a lost result are written once if the database refuses the first of them",
        arguments: [LossyProxy.Fault.disconnect, .silence])
    func lostResultAfterRefusal(_ fault: LossyProxy.Fault) async throws {
        try await LogFixture.with { fixture in
            try await fixture.tend()
            _ = try await fixture.sql("ALTER TABLE request_log ADD CONSTRAINT c CHECK (path <> '/lost0')")
            let proxy = try await LossyProxy.start(to: fixture.connectionString)
            let log = RequestLog()
            try await fixture.writing(
                log, as: PostgresTarget(proxy.connectionString), settings: ConnectionSettings(queryTimeout: .seconds(2))
            ) {
                // The last line: the proxy does not pass the response that begins another COPY.
                proxy.set(fault, after: "/lost9")
                log.note(0..<10, prefix: "lost")
                // All lines are refused together, and those that were accepted one by one are committed.
                try await eventually("the commit") {
                    let count = try await fixture.count("path LIKE '/lost%'")
                    return count > 0 && proxy.faults > 0
                }
                proxy.set(nil)
                log.note(0..<10, prefix: "other")
            }
            // One line was refused, and one has the number of the refused ones.
            try await expectOnce(fixture, 20)
            #expect(try await fixture.count("code = 'log_gap'") == 1)
            await proxy.stop()
        }
    }

    @Test(
        "lines wait while the table is missing, the role lacks a right, or the database is read-only",
        arguments: [
            ("ALTER TABLE request_log RENAME TO r", "ALTER TABLE r RENAME TO request_log"),
            ("REVOKE INSERT ON request_log FROM keyward_run", "GRANT INSERT ON request_log TO keyward_run"),
            (
                """
                ALTER ROLE keyward_run SET default_transaction_read_only = on;
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keyward_run'
                """, "ALTER ROLE keyward_run RESET default_transaction_read_only"
            ),
        ])
    func unavailable(_ away: String, _ back: String) async throws {
        try await LogFixture.alone { fixture, server in
            let target = try PostgresTarget(try await server.admit(role: "keyward_run"))
            for statement in try RuntimeGrants.statements(for: "keyward_run") { _ = try await fixture.sql(statement) }
            let (log, lines) = (RequestLog(), LogLines())
            try await fixture.writing(log, as: target, logger: lines.log) {
                log.note(0..<10)
                try await eventually("the first lines") { try await fixture.count() == 10 }
                for statement in away.split(separator: ";") { _ = try await fixture.sql(String(statement)) }
                log.note(10..<20)
                try await eventually("the failure") { lines.all.contains { $0.contains("cannot be written") } }
                try await Task.sleep(for: .milliseconds(500))
                _ = try await fixture.sql(back)
                log.note(20..<30)
            }
            try await expectOnce(fixture, 30)
            #expect(lines.all.filter { $0.contains("cannot be written") }.count == 1)
        }
    }

    @Test("a log whose table was dropped stays in memory, and a cancelled writer drops it")
    func dropped() async throws {
        try await LogFixture.with { fixture in
            _ = try await fixture.sql("DROP TABLE request_log")
            let log = RequestLog()
            let lines = LogLines()
            log.note(0..<10)
            try await fixture.withPool { pool in
                let writer = RequestLogWriter(
                    log: log, pool: pool, instance: "test:1", retention: RequestLogRetention(), tender: nil,
                    logger: lines.log)
                let running = Task { await writer.run() }
                try await eventually("the failure") { lines.all.contains { $0.contains("cannot be written") } }
                #expect(writer.lag > .zero)
                log.note(10..<20)
                log.close()
                running.cancel()
                await running.value
            }
            #expect(log.takeLost() == 20 && log.rows?.bytes == 0)
        }
    }

    @Test("the migration waits for no lock of the tables of keys")
    func migration() async throws {
        let database = try await TestDatabase.create()
        let target = try PostgresTarget(database.connectionString)
        let first = try await PostgresConnection.connect(to: target, logger: LogFixture.silent)
        let before = MigrationCatalogue.all.filter { $0.version < 2 }
        try await MigrationRunner(migrations: before, logger: LogFixture.silent).up(on: first)
        try await first.execute(
            script: """
                BEGIN;
                LOCK TABLE auth_keys, auth_key_secrets, auth_key_usage, auth_key_usage_days, audit_events, admin_keys, feed_epochs
                """)
        let second = try await PostgresConnection.connect(to: target, logger: LogFixture.silent)
        let log = MigrationCatalogue.all.filter { $0.version <= 2 }
        try await MigrationRunner(migrations: log, logger: LogFixture.silent).up(on: second)
        await first.close()
        await second.close()
        try await database.drop()
    }
}
