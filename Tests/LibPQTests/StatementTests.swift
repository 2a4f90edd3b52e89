import Testing

@testable import LibPQ

@Suite("Prepared statements") struct StatementTests {
    private func preparedCount(_ connection: PostgresConnection) async throws -> Int64 {
        try await connection.query("SELECT count(*) FROM pg_prepared_statements").rows[0].int64(0)
    }

    @Test("a statement is prepared once per text and types") func preparedOnce() async throws {
        try await withConnection { connection in
            let before = try await preparedCount(connection)
            for index in 0..<10 {
                _ = try await connection.query("SELECT $1", [.int64(Int64(index))])
                _ = try await connection.query("SELECT $1", [.text("\(index)")])
            }
            #expect(try await preparedCount(connection) == before + 2)
        }
    }

    @Test("the number of prepared statements is limited on the server too") func limit() async throws {
        try await withConnection(ConnectionSettings(preparedStatements: 4)) { connection in
            for index in 0..<40 { _ = try await connection.query("SELECT \(index)") }
            #expect(try await preparedCount(connection) <= 6)
            _ = try await connection.pipeline((0..<40).map { PostgresStatement("SELECT \($0) + 1") })
            _ = try await connection.query("SELECT 1")
            #expect(try await preparedCount(connection) <= 6)
        }
    }

    @Test("with a limit of 0, nothing is prepared") func noPreparation() async throws {
        try await withConnection(ConnectionSettings(preparedStatements: 0)) { connection in
            for index in 0..<4 {
                #expect(
                    try await connection.query("SELECT $1", [.int64(Int64(index))]).rows[0].int64(0) == Int64(index))
            }
            let results = try await connection.pipeline((0..<4).map { PostgresStatement("SELECT \($0)::int8") })
            #expect(try results.map { try $0.rows[0].int64(0) } == [0, 1, 2, 3])
            #expect(try await preparedCount(connection) == 0)
        }
    }

    @Test("a plan that no longer fits is prepared again") func stalePlan() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t AS SELECT 1::int8 AS a")
            for _ in 1...3 { #expect(try await connection.query("SELECT * FROM t").rows[0].int64(0) == 1) }
            try await connection.execute(script: "ALTER TABLE t ADD COLUMN b text DEFAULT 'x'")
            #expect(try await connection.query("SELECT * FROM t").rows[0].text(1) == "x")
            try await connection.execute(script: "ALTER TABLE t ALTER COLUMN a TYPE text")
            let statements = ["SELECT * FROM t", "SELECT * FROM t"].map { PostgresStatement($0) }
            #expect(try await connection.pipeline(statements)[1].rows[0].text(0) == "1")
        }
    }

    @Test("a statement that the server has deallocated is prepared again") func deallocated() async throws {
        try await withConnection { connection in
            #expect(try await connection.query("SELECT 7::int8").rows[0].int64(0) == 7)
            try await connection.execute(script: "DEALLOCATE ALL")
            #expect(try await connection.query("SELECT 7::int8").rows[0].int64(0) == 7)
        }
    }

    @Test("in a transaction, the caller has to retry after a stale plan") func stalePlanInTransaction() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t AS SELECT 1::int8 AS a")
            _ = try await connection.query("SELECT * FROM t")
            try await connection.execute(script: "ALTER TABLE t ADD COLUMN b int8")
            let error = await postgresError {
                try await connection.transaction { _ = try await $0.query("SELECT * FROM t") }
            }
            #expect(error?.sqlState == "0A000")
            try await connection.transaction { _ = try await $0.query("SELECT * FROM t") }
        }
    }

    @Test("a different error with the same SQLSTATE is not retried") func otherUnsupportedFeature() async throws {
        try await withConnection { connection in
            let name = uniqueName("seq")
            try await connection.execute(script: "CREATE TEMP SEQUENCE \(name)")
            try await connection.execute(
                script: """
                    CREATE FUNCTION pg_temp.refuse() RETURNS int8 LANGUAGE plpgsql AS
                    $$ BEGIN PERFORM nextval('\(name)'); RAISE EXCEPTION 'no' USING ERRCODE = '0A000'; END $$
                    """)
            let error = await postgresError { _ = try await connection.query("SELECT pg_temp.refuse()") }
            #expect(error?.sqlState == "0A000")
            #expect(try await connection.query("SELECT nextval('\(name)')").rows[0].int64(0) == 2)
        }
    }

    @Test("the least recently used statement is evicted first") func eviction() {
        var cache = StatementCache(capacity: 2)
        let keys = ["a", "b", "c"].map { StatementCache.Key(sql: $0, types: []) }
        #expect(cache.insert(keys[0], name: "s1") == nil)
        #expect(cache.insert(keys[1], name: "s2") == nil)
        #expect(cache.name(for: keys[0]) == "s1")
        #expect(cache.insert(keys[2], name: "s3") == "s2")
        #expect(cache.name(for: keys[1]) == nil)
        #expect(cache.remove(keys[0]) == "s1")
        #expect(cache.name(for: keys[0]) == nil)
    }
}
