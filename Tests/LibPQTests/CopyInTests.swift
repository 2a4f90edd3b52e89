import Glibc
import TestSupport
import Testing

@testable import LibPQ

extension CopyWriter {
    fileprivate mutating func append(copying field: some Collection<UInt8>) {
        Array(field).withUnsafeBytes { append(bytes: $0) }
    }
}

@Suite("COPY FROM STDIN") struct CopyInTests {
    /// A stream of one row and of 200 MB of further rows. `taken` counts the chunks that were taken.
    private struct Chunks: Sequence, Sendable {
        let large: [UInt8]
        let taken: Shared<Int>

        func makeIterator() -> some IteratorProtocol<[UInt8]> {
            let chunks =
                [Array(CopyInTests.rows(0..<1).dropLast(2))] + Array(repeating: large, count: 200) + [[0xFF, 0xFF]]
            return chunks.lazy.map { chunk in
                taken.withLock { $0 += 1 }
                return chunk
            }.makeIterator()
        }
    }

    private static func rows(_ range: Range<Int64>) -> [UInt8] {
        var writer = CopyWriter()
        for value in range {
            writer.beginRow(fields: 2)
            writer.append(value)
            writer.append(copying: "row \(value)".utf8)
        }
        writer.finish()
        return writer.bytes
    }

    /// Creates a table whose inserts wait for an advisory lock, which the returned connection holds.
    private func blockedTable(_ name: String) async throws -> PostgresConnection {
        let holder = try await connect()
        try await holder.execute(
            script: """
                CREATE TABLE \(name) (i int8, t text);
                CREATE FUNCTION \(name)_wait() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN PERFORM pg_advisory_xact_lock_shared(hashtext('\(name)')); RETURN NEW; END $$;
                CREATE TRIGGER wait BEFORE INSERT ON \(name) FOR EACH ROW EXECUTE FUNCTION \(name)_wait()
                """)
        _ = try await holder.query("SELECT pg_advisory_lock(hashtext('\(name)'))")
        return holder
    }

    /// Returns the backend that waits for the lock of `blockedTable`.
    private func waitingBackend(_ name: String, seenBy observer: PostgresConnection) async throws -> Int32 {
        var found: Int32?
        try await eventually("the copy did not wait") {
            found = try await observer.query(
                """
                SELECT pid FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND wait_event = 'advisory' AND query LIKE $1
                """, [.text("COPY \(name) %")]
            ).rows.first?.int32(0)
            return found != nil
        }
        return try #require(found)
    }

    @Test("each type arrives as it was written") func everyType() async throws {
        try await withConnection { connection in
            try await connection.execute(
                script: "CREATE TEMP TABLE t (a int2, b int4, c int8, d text, e uuid, f timestamptz, g int4, h bytea)")
            let signs: [Int64] = [1, -1]
            var writer = CopyWriter()
            for sign in signs {
                writer.beginRow(fields: 8)
                writer.append(Int16(sign * 7))
                writer.append(Int32(sign * 70_000))
                writer.append(sign * 7_000_000_000)
                writer.append(copying: "ü\t\n".utf8)
                writer.append(PostgresUUID(high: 1, low: 2))
                writer.append(timestamp: sign * 1_500_000)
                writer.appendNull()
                writer.append(copying: [0, 255])
            }
            writer.finish()
            #expect(try await connection.copyIn("COPY t FROM STDIN (FORMAT binary)", chunks: [writer.bytes]) == 2)
            let rows = try await connection.query("SELECT a, b, c, d, e, f, g IS NULL, h FROM t ORDER BY a DESC").rows
            for (row, sign) in zip(rows, signs) {
                #expect(try row.int16(0) == Int16(sign * 7))
                #expect(try row.int32(1) == Int32(sign * 70_000))
                #expect(try row.int64(2) == sign * 7_000_000_000)
                #expect(try row.text(3) == "ü\t\n")
                #expect(try row.uuid(4) == PostgresUUID(high: 1, low: 2))
                #expect(try row.timestamp(5) == sign * 1_500_000)
                #expect(try row.bool(6))
                #expect(try row.bytes(7) == [0, 255])
            }
            #expect(rows.count == 2)
        }
    }

    @Test("a row may be split between chunks, and a copy may be empty", arguments: [false, true])
    func chunks(isPooled: Bool) async throws {
        var settings = ConnectionSettings()
        settings.isPooled = isPooled
        try await withConnection(settings) { connection in
            let name = uniqueName("chunks")
            try await connection.execute(script: "CREATE TABLE \(name) (i int8, t text)")
            let sql = "COPY \(name) FROM STDIN (FORMAT binary)"
            let bytes = Self.rows(0..<1000).map { [$0] }
            #expect(try await connection.copyIn(sql, chunks: bytes) == 1000)
            #expect(try await connection.copyIn(sql, chunks: [Self.rows(0..<0), []]) == 0)
            let sum = try await connection.query("SELECT sum(i)::int8 FROM \(name)").rows[0].int64(0)
            #expect(sum == 499_500)
        }
    }

    @Test("chunks wait while the server does not read") func backpressure() async throws {
        let name = uniqueName("pressure")
        let holder = try await blockedTable(name)
        let taken = Shared(0)
        let chunks = Chunks(large: Array(Self.rows(0..<60_000).dropFirst(19).dropLast(2)), taken: taken)
        try await withConnection { connection in
            let copy = Task {
                try await connection.copyIn("COPY \(name) FROM STDIN (FORMAT binary)", chunks: chunks)
            }
            _ = try await waitingBackend(name, seenBy: holder)
            try await Task.sleep(for: .milliseconds(300))
            // The buffers of the sockets hold a few MB, and a chunk is larger than 1 MB.
            #expect(taken.withLock { $0 } < 30)
            copy.cancel()
            #expect(await postgresError { _ = try await copy.value }?.kind == .cancelled)
        }
        #expect(try await holder.query("SELECT count(*) FROM \(name)").rows[0].int64(0) == 0)
        await holder.close()
    }

    @Test("an error of the data has its SQLSTATE, and nothing is copied") func invalidData() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8 CHECK (i <> 500), t text)")
            let sql = "COPY t FROM STDIN (FORMAT binary)"
            let check = await postgresError { _ = try await connection.copyIn(sql, chunks: [Self.rows(0..<1000)]) }
            #expect(check?.sqlState == "23514" && check?.isOutcomeUnknown == false)
            let cut = Array(Self.rows(0..<10).dropLast(9))
            let incomplete = await postgresError { _ = try await connection.copyIn(sql, chunks: [cut]) }
            #expect(incomplete?.sqlState == "22P04")
            #expect(connection.isUsable)
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 0)
        }
    }

    @Test("a statement that is not a COPY FROM STDIN is refused") func notACopy() async throws {
        try await withConnection { connection in
            for sql in ["SELECT 1", "", "SELEKT", "CREATE TEMP TABLE x (i int)"] {
                let error = await postgresError { _ = try await connection.copyIn(sql, chunks: [[0]]) }
                #expect(error != nil)
                #expect(connection.isUsable)
                try await expectUsableOrClosed(connection)
            }
        }
        try await withConnection { connection in
            let error = await postgresError {
                _ = try await connection.copyIn("COPY (SELECT 1) TO STDOUT", chunks: [[0]])
            }
            #expect(error?.kind == .invalidParameter && error?.isOutcomeUnknown == false)
        }
    }

    @Test("behind a pooler, a connection on which a copy failed is closed") func failedBehindPooler() async throws {
        var settings = ConnectionSettings()
        settings.isPooled = true
        try await withConnection(settings) { connection in
            let name = uniqueName("pooled")
            try await connection.execute(script: "CREATE TABLE \(name) (i int8 CHECK (i <> 5), t text)")
            let error = await postgresError {
                _ = try await connection.copyIn("COPY \(name) FROM STDIN (FORMAT binary)", chunks: [Self.rows(0..<10)])
            }
            #expect(error?.sqlState == "23514" && error?.isOutcomeUnknown == false)
            #expect(!connection.isUsable)
        }
    }

    @Test("a timeout is noticed while the socket accepts all chunks") func timeoutWithoutBlocking() async throws {
        struct Slow: Sequence, Sendable {
            func makeIterator() -> some IteratorProtocol<[UInt8]> {
                CopyInTests.rows(0..<100).lazy.map { byte in
                    usleep(2_000)
                    return [byte]
                }.makeIterator()
            }
        }
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8, t text)")
            let error = await postgresError {
                _ = try await connection.copyIn(
                    "COPY t FROM STDIN (FORMAT binary)", timeout: .milliseconds(100), chunks: Slow())
            }
            #expect(error?.kind == .timeout && error?.isOutcomeUnknown == false)
            try await expectUsableOrClosed(connection)
            if connection.isUsable {
                #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 0)
            }
        }
    }

    @Test("a failed transaction keeps no copied row") func rolledBack() async throws {
        struct Stop: Error {}
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8, t text)")
            await #expect(throws: Stop.self) {
                try await connection.transaction { transaction in
                    let rows = try await transaction.copyIn(
                        "COPY t FROM STDIN (FORMAT binary)", chunks: [Self.rows(0..<10)])
                    #expect(rows == 10)
                    throw Stop()
                }
            }
            #expect(try await connection.query("SELECT count(*) FROM t").rows[0].int64(0) == 0)
        }
    }

    @Test("a timeout while chunks are sent copies nothing") func timeout() async throws {
        let name = uniqueName("late")
        let holder = try await blockedTable(name)
        try await withConnection { connection in
            let error = await postgresError {
                _ = try await connection.copyIn(
                    "COPY \(name) FROM STDIN (FORMAT binary)", timeout: .milliseconds(200),
                    chunks: [Self.rows(0..<1000)])
            }
            #expect(error?.kind == .timeout)
            try await expectUsableOrClosed(connection)
        }
        #expect(try await holder.query("SELECT count(*) FROM \(name)").rows[0].int64(0) == 0)
        await holder.close()
    }

    @Test("the outcome of a lost connection is unknown only after the last chunk") func lostConnection() async throws {
        let name = uniqueName("lost")
        let holder = try await blockedTable(name)
        let large = Array(repeating: Array(Self.rows(0..<60_000).dropFirst(19).dropLast(2)), count: 100)
        let start = Array(Self.rows(0..<1).dropLast(2))
        for (chunks, isUnknown) in [([Self.rows(0..<10)], true), ([start] + large, false)] {
            let connection = try await connect()
            let call = Task { try await connection.copyIn("COPY \(name) FROM STDIN (FORMAT binary)", chunks: chunks) }
            let process = try await waitingBackend(name, seenBy: holder)
            _ = try await holder.query("SELECT pg_terminate_backend($1)", [.int32(process)])
            let error = await postgresError { _ = try await call.value }
            #expect(error?.isUnavailable == true)
            #expect(error?.isOutcomeUnknown == isUnknown)
            await connection.close()
        }
        await holder.close()
    }
}
