import Testing

@testable import LibPQ

@Suite("Transactions") struct TransactionTests {
    private struct Stop: Error {}

    @Test("a transaction is committed when its body returns") func commit() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8)")
            let value = try await connection.transaction { transaction in
                _ = try await transaction.query("INSERT INTO t VALUES (1)")
                _ = try await transaction.pipeline([PostgresStatement("INSERT INTO t VALUES (2)")])
                try await transaction.execute(script: "INSERT INTO t VALUES (3)")
                return try await transaction.copyOut("COPY t TO STDOUT (FORMAT binary)") { _ in }
            }
            #expect(value == 3)
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 3)
        }
    }

    @Test("an error rolls back, and the connection stays usable") func rollback() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8)")
            await #expect(throws: Stop.self) {
                try await connection.transaction { transaction in
                    _ = try await transaction.query("INSERT INTO t VALUES (1)")
                    throw Stop()
                }
            }
            let error = await postgresError {
                try await connection.transaction { _ = try await $0.query("SELECT 1/0") }
            }
            #expect(error?.sqlState == "22012")
            #expect(connection.isUsable)
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 0)
        }
    }

    @Test("an ignored server error prevents the commit") func ignoredError() async throws {
        try await withConnection { connection in
            let error = await postgresError {
                try await connection.transaction { _ = try? await $0.query("SELECT 1/0") }
            }
            #expect(error?.sqlState == "25P02")
            #expect(connection.isUsable)
        }
    }

    @Test("other calls wait until the transaction is over") func otherCallsWait() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8)")
            let (inside, entered) = AsyncStream.makeStream(of: Void.self)
            let (released, release) = AsyncStream.makeStream(of: Void.self)
            let transaction = Task {
                try await connection.transaction { transaction in
                    _ = try await transaction.query("INSERT INTO t VALUES (1)")
                    entered.finish()
                    for await _ in released {}
                    _ = try await transaction.query("INSERT INTO t VALUES (2)")
                }
            }
            for await _ in inside {}
            let others = (0..<5).map { _ in
                Task { try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) }
            }
            let timedOut = await postgresError {
                _ = try await connection.query("SELECT 1", timeout: .milliseconds(100))
            }
            #expect(timedOut?.kind == .timeout)
            #expect(timedOut?.nothingWasSent == true)
            release.finish()
            try await transaction.value
            for other in others { #expect(try await other.value == 2) }
        }
    }

    @Test("a handle is refused after its transaction") func usedHandle() async throws {
        try await withConnection { connection in
            let handle = try await connection.transaction { $0 }
            let error = await postgresError { _ = try await handle.query("SELECT 1") }
            #expect(error?.kind == .transactionEnded)
        }
    }

    @Test("a cancelled transaction is rolled back") func cancelledTransaction() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8)")
            let (inside, entered) = AsyncStream.makeStream(of: Void.self)
            let task = Task {
                try await connection.transaction { transaction in
                    _ = try await transaction.query("INSERT INTO t VALUES (1)")
                    entered.finish()
                    while !Task.isCancelled { await Task.yield() }
                }
            }
            for await _ in inside {}
            task.cancel()
            let error = await postgresError { try await task.value }
            #expect(error?.kind == .cancelled)
            #expect(connection.isUsable)
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 0)
        }
    }

    @Test("a connection that is lost in a transaction is closed") func lostConnection() async throws {
        try await withConnection { killer in
            let connection = try await connect()
            let error = await postgresError {
                try await connection.transaction { transaction in
                    let pid = try await transaction.query("SELECT pg_backend_pid()").rows[0].int32(0)
                    _ = try await killer.query("SELECT pg_terminate_backend($1, 10000)", [.int32(pid)])
                    _ = try await transaction.query("SELECT 1")
                }
            }
            #expect(error?.isUnavailable == true)
            #expect(!connection.isUsable)
        }
    }
}
