import TestSupport
import Testing

@testable import LibPQ

@Suite("Pipelines") struct PipelineTests {
    @Test("10,000 statements with large results do not deadlock", .timeLimit(.minutes(5)))
    func largePipeline() async throws {
        try await withConnection(ConnectionSettings(queryTimeout: .seconds(100))) { connection in
            let text = String(repeating: "x", count: 2048)
            let statements = (0..<10_000).map {
                PostgresStatement("SELECT $1, repeat($2, 2)", [.int64(Int64($0)), .text(text)])
            }
            let results = try await connection.pipeline(statements)
            #expect(results.count == 10_000)
            for (index, result) in results.enumerated() {
                try #require(try result.rows[0].int64(0) == Int64(index))
                try #require(try result.rows[0].text(1).utf8.count == 4096)
            }
        }
    }

    @Test("an error in the middle rolls back the whole pipeline") func rollback() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8 UNIQUE)")
            let values: [Int64] = [1, 2, 1, 3]
            let error = await postgresError {
                _ = try await connection.pipeline(
                    values.map { PostgresStatement("INSERT INTO t VALUES ($1)", [.int64($0)]) })
            }
            #expect(error?.sqlState == "23505")
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 0)
            _ = try await connection.pipeline(
                [1, 2].map { PostgresStatement("INSERT INTO t VALUES ($1)", [.int64($0)]) })
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 2)
        }
    }

    @Test("a statement that cannot be prepared leaves the connection usable") func unpreparable() async throws {
        try await withConnection { connection in
            for _ in 1...3 {
                let error = await postgresError {
                    _ = try await connection.pipeline([PostgresStatement("SELECT 1"), PostgresStatement("SELEKT 1")])
                }
                #expect(error?.sqlState == "42601")
            }
            #expect(connection.isUsable)
            try await expectUsableOrClosed(connection)
            #expect(try await connection.pipeline([]).isEmpty)
        }
    }

    @Test("calls of many tasks are served one after another") func manyTasks() async throws {
        try await withConnection { connection in
            let sum = try await withThrowingTaskGroup(of: Int64.self) { group in
                for index in 0..<200 {
                    group.addTask { try await connection.query("SELECT $1", [.int64(Int64(index))]).rows[0].int64(0) }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 199 * 200 / 2)
        }
    }

    @Test("a cancelled pipeline commits nothing or everything") func cancelledPipeline() async throws {
        try await withConnection { observer in
            let table = uniqueName("cancelled")
            try await observer.execute(script: "CREATE TABLE \(table) (i int8, filler text)")
            let filler = String(repeating: "x", count: 4096)
            for round in 0..<8 {
                let connection = try await connect()
                let statements = (0..<2000).map {
                    PostgresStatement("INSERT INTO \(table) VALUES ($1, $2)", [.int64(Int64($0)), .text(filler)])
                }
                let task = Task { try await connection.pipeline(statements) }
                try await Task.sleep(for: .milliseconds(round * 5))
                task.cancel()
                let result = await task.result
                await connection.close()
                try await eventually("the backend to finish") { try await running(table, on: observer) == 0 }
                let count = try await observer.query("SELECT count(*) FROM \(table)").rows[0].int64(0)
                if case .success = result { #expect(count == 2000) } else { #expect(count == 0) }
                try await observer.execute(script: "TRUNCATE \(table)")
            }
            try await observer.execute(script: "DROP TABLE \(table)")
        }
    }
}
