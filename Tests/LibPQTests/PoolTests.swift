import TestSupport
import Testing

@testable import LibPQ

@Suite("PostgresPool") struct PoolTests {
    @Test("never more connections than the maximum are open") func maximum() async throws {
        let name = uniqueName("pool")
        let server = try await testServer()
        let pool = PostgresPool(
            target: try PostgresTarget(server + " application_name=\(name)"),
            settings: .init(queryTimeout: .seconds(60)),
            configuration: .init(maximumConnections: 3, acquireTimeout: .seconds(60)), logger: quiet)
        let running = Task { await pool.run() }
        defer { running.cancel() }
        let most = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<60 {
                group.addTask {
                    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
                    return try await pool.query(sql, [.text(name)]).rows[0].int64(0)
                }
            }
            return try await group.reduce(0) { max($0, $1) }
        }
        #expect((1...3).contains(most))
        #expect(pool.statistics.totalOpened <= 3)
        #expect(pool.statistics.leased == 0)
        await pool.close()
        let error = await postgresError { _ = try await pool.query("SELECT 1") }
        #expect(error?.kind == .poolClosed)
    }

    @Test("a connection on which a write is refused as read-only is replaced")
    func readOnlySessionsAreReplaced() async throws {
        try await withPool(.init(maximumConnections: 1)) { pool in
            func process() async throws -> Int32 {
                try await pool.query("SELECT pg_backend_pid()").rows[0].int32(0)
            }
            try await pool.execute(script: "SET default_transaction_read_only = on")
            let before = try await process()
            let refused = await postgresError { try await pool.execute(script: "CREATE TABLE never (i int)") }
            #expect(refused?.isReadOnly == true && refused?.isUnavailable == true)
            let after = try await process()
            #expect(after != before)
            try await pool.withConnection { try await $0.execute(script: "SET default_transaction_read_only = on") }
            let again = await postgresError {
                try await pool.transaction { try await $0.execute(script: "CREATE TABLE never (i int)") }
            }
            #expect(again?.isReadOnly == true)
            #expect(try await process() != after)
        }
    }

    @Test("waiting callers are served in order, except cancelled ones") func waitingOrder() async throws {
        try await withPool(.init(maximumConnections: 1, acquireTimeout: .seconds(60))) { pool in
            let order = Shared<[Int]>([])
            try await pool.withConnection { _ in
                var tasks: [Task<Void, any Error>] = []
                for index in 0..<6 {
                    tasks.append(
                        Task { try await pool.withConnection { _ in order.withLock { $0.append(index) } } })
                    try await eventually("the task to wait") { pool.statistics.waiting == index + 1 }
                }
                tasks[2].cancel()
                let error = await postgresError { try await tasks[2].value }
                #expect(error?.kind == .cancelled)
                #expect(pool.statistics.waiting == 5)
            }
            try await eventually("all tasks to be served") { order.withLock { $0.count } == 5 }
            #expect(order.withLock { $0 } == [0, 1, 3, 4, 5])
        }
    }

    @Test("a caller waits no longer than its deadline") func acquireTimeout() async throws {
        let configuration = PoolConfiguration(maximumConnections: 1, acquireTimeout: .milliseconds(200))
        try await withPool(configuration) { pool in
            try await eventually("the first connection") { (try? await pool.query("SELECT 1")) != nil }
            try await pool.withConnection { _ in
                let start = ContinuousClock.now
                let error = await postgresError { _ = try await pool.query("SELECT 1") }
                #expect(error?.kind == .poolExhausted)
                #expect(error?.isUnavailable == true)
                #expect(error?.isRetryable == true)
                #expect(.now - start >= .milliseconds(200))
                #expect(.now - start < .seconds(30))
            }
            #expect(pool.statistics.waiting == 0)
        }
    }

    @Test("a call to a pool that does not run ends at the timeout") func notRunning() async throws {
        let target = try PostgresTarget(try await testServer())
        let pool = PostgresPool(
            target: target, configuration: .init(acquireTimeout: .milliseconds(100)), logger: quiet)
        #expect(await postgresError { _ = try await pool.query("SELECT 1") }?.kind == .poolExhausted)
    }

    @Test("a connection that died while idle is replaced before it is used") func deadIdleConnection() async throws {
        try await withConnection { killer in
            try await withPool(.init(maximumConnections: 2, acquireTimeout: .seconds(30))) { pool in
                for _ in 0..<20 {
                    let pid = try await pool.query("SELECT pg_backend_pid()").rows[0].int32(0)
                    _ = try await killer.query("SELECT pg_terminate_backend($1, 10000)", [.int32(pid)])
                    let next = try await pool.transaction {
                        try await $0.query("SELECT pg_backend_pid()").rows[0].int32(0)
                    }
                    #expect(next != pid)
                }
            }
        }
    }

    @Test("a connection that is returned inside a transaction is not reused") func openTransaction() async throws {
        try await withPool(.init(maximumConnections: 1)) { pool in
            let first = try await pool.query("SELECT pg_backend_pid()").rows[0].int32(0)
            try await pool.withConnection { try await $0.execute(script: "BEGIN") }
            let second = try await pool.query("SELECT pg_backend_pid()").rows[0].int32(0)
            #expect(first != second)
            await #expect(throws: PostgresError.self) {
                try await pool.transaction { _ = try await $0.query("SELECT 1/0") }
            }
            #expect(try await pool.query("SELECT pg_backend_pid()").rows[0].int32(0) == second)
        }
    }

    @Test("an idle connection is closed") func idleTimeout() async throws {
        try await withPool(.init(maximumConnections: 2, idleTimeout: .milliseconds(100))) { pool in
            _ = try await pool.query("SELECT 1")
            try await eventually("the connection to close") {
                pool.statistics.idle == 0 && pool.statistics.leased == 0
            }
            _ = try await pool.query("SELECT 1")
            #expect(pool.statistics.totalOpened == 2)
        }
    }

    @Test("scripts, pipelines and copies work through the pool") func allCalls() async throws {
        try await withPool { pool in
            try await pool.execute(script: "SELECT 1; SELECT 2")
            #expect(try await pool.pipeline([PostgresStatement("SELECT 1"), PostgresStatement("SELECT 2")]).count == 2)
            #expect(try await pool.copyOut("COPY (SELECT 1) TO STDOUT (FORMAT binary)") { _ in } == 1)
            #expect(pool.statistics.leased == 0)
        }
    }

    @Test("without a database, calls fail quickly") func noDatabase() async throws {
        let pool = PostgresPool(target: try PostgresTarget("host=/nonexistent"), logger: quiet)
        let running = Task { await pool.run() }
        defer { running.cancel() }
        for _ in 0..<20 {
            let start = ContinuousClock.now
            let error = await postgresError { _ = try await pool.query("SELECT 1") }
            #expect(error?.kind == .connectionFailed)
            #expect(.now - start < .seconds(30))
        }
    }
}
