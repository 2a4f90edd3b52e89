import TestSupport
import Testing

@testable import LibPQ

@Suite("Outcomes of failed statements")
struct OutcomeTests {
    @Test("a statement that fails at its commit throws, and the connection stays usable")
    func failureAtCommit() async throws {
        try await withConnection { connection in
            try await connection.execute(
                script: "CREATE TEMP TABLE t (i int8 UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1)")
            for _ in 0..<2 {
                let error = await postgresError { _ = try await connection.query("INSERT INTO t VALUES (1)") }
                #expect(error?.sqlState == "23505" && error?.isOutcomeUnknown == false)
            }
            #expect(connection.isUsable)
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 1)
        }
    }

    @Test("a lost connection leaves the outcome of a statement unknown outside a transaction, and known inside one")
    func lostConnection() async throws {
        try await withConnection { observer in
            for isInTransaction in [false, true] {
                let connection = try await connect()
                let process = try await connection.query("SELECT pg_backend_pid()").rows[0].int32(0)
                let call = Task {
                    guard isInTransaction else {
                        _ = try await connection.query("SELECT pg_sleep(60)")
                        return
                    }
                    try await connection.transaction { _ = try await $0.query("SELECT pg_sleep(60)") }
                }
                try await eventually("the statement to start") {
                    let active = try await observer.query(
                        "SELECT FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%pg_sleep(60)%'", [.int32(process)]
                    )
                    return active.rows.count == 1
                }
                _ = try await observer.query("SELECT pg_terminate_backend($1)", [.int32(process)])
                let error = await postgresError { try await call.value }
                #expect(error?.isUnavailable == true)
                #expect(error?.isOutcomeUnknown == !isInTransaction)
            }
        }
    }

    @Test("a statement that is cancelled at its timeout has a known outcome")
    func timeout() async throws {
        try await withConnection { connection in
            let error = await postgresError {
                _ = try await connection.query("SELECT pg_sleep(60)", timeout: .milliseconds(50))
            }
            #expect(error?.kind == .timeout && error?.isOutcomeUnknown == false)
        }
    }

    @Test("a commit that the synchronous standby does not confirm in time has an unknown outcome")
    func unconfirmedCommit() async throws {
        let server = try await TestServer.start()
        try await withConnection(.init(queryTimeout: .milliseconds(500)), to: server) { connection in
            try await connection.execute(script: "CREATE TABLE t (i int8)")
            try await connection.execute(script: "ALTER SYSTEM SET synchronous_standby_names = 'nosuch'")
            _ = try await connection.query("SELECT pg_reload_conf()")
            var committed: Int64 = 0
            var alone: PostgresError?
            // The checkpointer applies the setting to all backends, some time after the reload.
            try await eventually("the setting to be applied") {
                do {
                    _ = try await connection.query("INSERT INTO t VALUES (1)")
                    committed += 1
                } catch let error as PostgresError {
                    alone = error
                }
                return alone != nil
            }
            #expect(alone?.isOutcomeUnknown == true && alone?.kind == .timeout)
            let block = await postgresError {
                try await connection.transaction { _ = try await $0.query("INSERT INTO t VALUES (2)") }
            }
            #expect(block?.isOutcomeUnknown == true)
            var writer = CopyWriter()
            writer.beginRow(fields: 1)
            writer.append(Int64(4))
            writer.finish()
            let rows = writer.bytes
            let others: [() async throws -> Void] = [
                { try await connection.execute(script: "INSERT INTO t VALUES (3)") },
                { _ = try await connection.copyIn("COPY t FROM STDIN (FORMAT binary)", chunks: [rows]) },
            ]
            for other in others {
                // On a loaded machine, the timeout may pass before the commit. The outcome is then known.
                try await eventually("an unknown outcome") { await postgresError(other)?.isOutcomeUnknown == true }
            }
            #expect(
                try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == committed + 4,
                "all commits were carried out")
        }
        await server.stop()
    }
}
