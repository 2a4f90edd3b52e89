import Testing

@testable import LibPQ

@Suite("COPY TO STDOUT") struct CopyTests {
    private struct Stop: Error {}

    @Test("every row of a large copy arrives") func largeCopy() async throws {
        try await withConnection { connection in
            let total = Shared((sum: Int64(0), nulls: 0))
            let count = try await connection.copyOut(
                """
                COPY (SELECT i::int8, 'key ' || i, sha256(i::text::bytea), NULLIF(i % 2, 0)::int8, i % 3 = 0,
                timestamptz '2000-01-01Z', '00000000-0000-0000-0000-000000000001'::uuid, i::text::xid8,
                ARRAY['a', 'b'] FROM generate_series(1, 100000) i) TO STDOUT (FORMAT binary)
                """
            ) { row in
                let value = try row.nextInt64()
                guard try row.nextText() == "key \(value)", try row.nextBytes().count == 32 else { throw Stop() }
                let odd = try row.nextOptionalInt64()
                guard try row.nextBool() == (value % 3 == 0), try row.nextTimestampOrInfinity() == 946_684_800_000_000,
                    try row.nextUuid() == PostgresUUID(high: 0, low: 1), try row.nextXid8() == UInt64(value),
                    try row.nextTextArray() == ["a", "b"]
                else { throw Stop() }
                total.withLock {
                    $0.sum += value
                    if odd == nil { $0.nulls += 1 }
                }
            }
            #expect(count == 100_000)
            #expect(total.withLock { $0.sum } == 5_000_050_000)
            #expect(total.withLock { $0.nulls } == 50_000)
            #expect(connection.isUsable)
        }
    }

    @Test("a copy without rows succeeds") func noRows() async throws {
        try await withConnection { connection in
            let count = try await connection.copyOut("COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)") { _ in }
            #expect(count == 0)
        }
    }

    @Test("a row handler that throws stops the copy") func throwingHandler() async throws {
        try await withConnection { connection in
            let start = ContinuousClock.now
            let error = await postgresError {
                _ = try await connection.copyOut(
                    "COPY (SELECT generate_series(1, 50000000)) TO STDOUT (FORMAT binary)"
                ) { row in
                    if try row.nextInt32() == 1000 { throw Stop() }
                }
            }
            #expect(error?.kind == .rowHandlerFailed)
            #expect(error?.underlying is Stop)
            #expect(.now - start < .seconds(90))
            try await expectUsableOrClosed(connection)
        }
    }

    @Test("reading a wrong type, a NULL or a missing field throws") func wrongReads() async throws {
        try await withConnection { connection in
            let sql = "COPY (SELECT 1::int4, NULL::text) TO STDOUT (FORMAT binary)"
            let readers: [@Sendable (inout RowCursor) throws -> Void] = [
                { row in _ = try row.nextInt64() },
                {
                    try $0.skip()
                    _ = try $0.nextText()
                },
                {
                    try $0.skip()
                    try $0.skip()
                    try $0.skip()
                },
            ]
            for reader in readers {
                let error = await postgresError { _ = try await connection.copyOut(sql, row: reader) }
                #expect(error?.kind == .decoding)
            }
            let skipped = try await connection.copyOut(sql) { row in
                if try row.nextInt32() != 1 { throw Stop() }
            }
            #expect(skipped == 1)
        }
    }

    @Test("a statement that is not a binary COPY is refused") func notACopy() async throws {
        try await withConnection { connection in
            for sql in [
                "SELECT 1", "COPY (SELECT 1) TO STDOUT", "", "COPY (SELECT 1/0) TO STDOUT (FORMAT binary)", "SELEKT",
            ] {
                let error = await postgresError { _ = try await connection.copyOut(sql) { _ in } }
                #expect(error != nil)
                #expect(connection.isUsable)
                try await expectUsableOrClosed(connection)
            }
        }
    }

    @Test("cancelling the task stops the copy") func cancelledTask() async throws {
        try await withConnection { connection in
            let (seen, saw) = AsyncStream.makeStream(of: Void.self)
            let task = Task {
                try await connection.copyOut(
                    "COPY (SELECT generate_series(1, 50000000)) TO STDOUT (FORMAT binary)"
                ) { _ in saw.finish() }
            }
            for await _ in seen {}
            task.cancel()
            #expect(await postgresError { _ = try await task.value }?.kind == .cancelled)
            try await expectUsableOrClosed(connection)
        }
    }

    @Test("a malformed stream is a decoding error") func malformedStream() {
        let header: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + Array(repeating: 0, count: 8)
        func receive(_ message: [UInt8]) -> (Int, PostgresError.Kind?) {
            var stream = CopyStream()
            do {
                try message.withUnsafeBytes { bytes in try stream.receive(bytes) { try $0.skip() } }
                return (stream.rowCount, nil)
            } catch {
                return (stream.rowCount, (error as? PostgresError)?.kind)
            }
        }
        let row: [UInt8] = [0, 1, 0, 0, 0, 2, 7, 7]
        #expect(receive(header + row + row + [0xFF, 0xFF]) == (2, nil))
        for length in 1..<header.count { #expect(receive(Array(header.prefix(length))).1 == .decoding) }
        for length in 1..<row.count { #expect(receive(header + row.prefix(length)).1 == .decoding) }
        for bad: [UInt8] in [
            [0xFF, 0xFE], [0, 1, 0x80, 0, 0, 0], [0, 1, 0x7F, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF] + row,
        ] {
            #expect(receive(header + bad).1 == .decoding)
        }
    }
}
