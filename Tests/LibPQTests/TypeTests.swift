import Testing

@testable import LibPQ

@Suite("Parameters and results") struct TypeTests {
    @Test("every scalar is returned as it was sent") func scalars() async throws {
        try await withConnection { connection in
            for value in [Int64.min, -1, 0, 1, Int64.max] {
                let row = try await connection.query("SELECT $1", [.int64(value)]).rows[0]
                #expect(try row.int64(0) == value)
            }
            for value in [Int32.min, -1, 0, Int32.max] {
                #expect(try await connection.query("SELECT $1", [.int32(value)]).rows[0].int32(0) == value)
            }
            for value in [Int16.min, 0, Int16.max] {
                #expect(try await connection.query("SELECT $1", [.int16(value)]).rows[0].int16(0) == value)
            }
            for value in [UInt64.min, 3, UInt64.max] {
                #expect(try await connection.query("SELECT $1", [.xid8(value)]).rows[0].xid8(0) == value)
            }
            for value in [-Double.infinity, -0.0, 1.5, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
                let bytes = withUnsafeBytes(of: value.bitPattern.bigEndian) { Array($0) }
                #expect(try await connection.query("SELECT float8send($1)", [.double(value)]).rows[0].bytes(0) == bytes)
            }
            for value in [true, false] {
                #expect(try await connection.query("SELECT $1", [.bool(value)]).rows[0].bool(0) == value)
            }
            for value in ["", "a", "žluťoučký 🐎 kůň", String(repeating: "x", count: 100_000)] {
                #expect(try await connection.query("SELECT $1", [.text(value)]).rows[0].text(0) == value)
            }
            for value: [UInt8] in [[], [0], Array(0...255)] {
                #expect(try await connection.query("SELECT $1", [.bytes(value)]).rows[0].bytes(0) == value)
            }
            for value in [PostgresUUID(high: 0, low: 0), PostgresUUID(high: .max, low: .max)] {
                #expect(try await connection.query("SELECT $1", [.uuid(value)]).rows[0].uuid(0) == value)
            }
            let json = try await connection.query("SELECT $1", [.jsonb(#"{"a": [1, null]}"#)]).rows[0]
            #expect(try json.read { row throws(PostgresError) in try row.nextJsonb() } == #"{"a": [1, null]}"#)
        }
    }

    @Test("timestamps count from the Unix epoch") func timestamps() async throws {
        try await withConnection { connection in
            let known = try await connection.query(
                "SELECT timestamptz '1970-01-01 00:00:00.000001Z', timestamptz '2000-01-01Z', timestamptz '4713-01-01Z BC'"
            ).rows[0]
            #expect(try known.timestamp(0) == 1)
            #expect(try known.timestamp(1) == 946_684_800_000_000)
            #expect(try known.timestamp(2) < 0)
            for value in [Int64(-62_135_596_800_000_000), -1, 0, 1_700_000_000_123_456] {
                let parameter = PostgresParameter.timestamp(microsecondsSinceUnixEpoch: value)
                #expect(try await connection.query("SELECT $1", [parameter]).rows[0].timestamp(0) == value)
            }
            for value in [Int64.min, Int64.min + PostgresType.epochMicroseconds] {
                let error = await postgresError {
                    _ = try await connection.query("SELECT $1", [.timestamp(microsecondsSinceUnixEpoch: value)])
                }
                #expect(error?.kind == .invalidParameter)
            }
        }
    }

    @Test("infinite timestamps are errors, except for the OrInfinity getters") func infiniteTimestamps() async throws {
        try await withConnection { connection in
            let row = try await connection.query(
                "SELECT timestamptz 'infinity', timestamptz '-infinity', timestamptz '294276-12-31 23:59:59Z'"
            ).rows[0]
            for column in 0...2 {
                #expect(throws: PostgresError.self) { try row.timestamp(column) }
            }
            var cursor = RowCursor(row)
            #expect(try cursor.nextTimestampOrInfinity() == .max)
            #expect(try cursor.nextOptionalTimestampOrInfinity() == .min)
        }
    }

    @Test("NULL is nil for the optional getters, and an error for the others") func nulls() async throws {
        try await withConnection { connection in
            let row = try await connection.query("SELECT NULL::text, NULL::bigint, $1::uuid", [.null]).rows[0]
            #expect(try row.optionalUuid(2) == nil)
            var cursor = RowCursor(row)
            #expect(try cursor.nextOptionalText() == nil)
            #expect(try cursor.nextOptionalInt64() == nil)
            #expect(try cursor.nextOptionalUuid() == nil)
            let error = await postgresError { _ = try row.text(0) }
            #expect(error?.kind == .decoding)
        }
    }

    @Test("a wrong type or column throws") func wrongColumns() async throws {
        try await withConnection { connection in
            let row = try await connection.query("SELECT 1::int4, 'a'::text").rows[0]
            #expect(throws: PostgresError.self) { try row.int64(0) }
            #expect(throws: PostgresError.self) { try row.optionalUuid(0) }
            #expect(throws: PostgresError.self) { try row.bytes(1) }
            for column in [-1, 2, Int.max, Int.min] {
                let error = await postgresError { _ = try row.int32(column) }
                #expect(error?.kind == .decoding)
            }
        }
    }

    @Test("arrays keep their order and NULLs") func arrays() async throws {
        try await withConnection { connection in
            for value: [String?] in [[], ["a"], ["", nil, "č", "a,b\"{}"]] {
                let rows = try await connection.query("SELECT unnest($1)", [.textArray(value)]).rows
                let elements = try rows.map { row in
                    try row.read { row throws(PostgresError) in try row.nextOptionalText() }
                }
                #expect(elements == value)
            }
            let whole = try await connection.query("SELECT $1, '{}'::text[]", [.textArray(["", "č"])]).rows[0]
            var cursor = RowCursor(whole)
            #expect(try cursor.nextTextArray() == ["", "č"])
            #expect(try cursor.nextTextArray() == [])
            let nulls = try await connection.query("SELECT ARRAY['a', NULL]").rows[0]
            #expect(throws: PostgresError.self) {
                try nulls.read { row throws(PostgresError) in try row.nextTextArray() }
            }

            let row = try await connection.query(
                """
                SELECT array_to_string($1::int8[], ',', '-'), array_to_string($2::bytea[], ',', '-'),
                array_to_string($3::uuid[], ',', '-'), ($4::timestamptz[])[1], $4[2] IS NULL
                """,
                [
                    .int64Array([.min, nil, .max]), .bytesArray([[], nil, [255, 0]]),
                    .uuidArray([PostgresUUID(high: 1, low: 2), nil]),
                    .timestampArray([1, nil]),
                ]
            ).rows[0]
            #expect(try row.text(0) == "-9223372036854775808,-,9223372036854775807")
            #expect(try row.text(1) == "\\x,-,\\xff00")
            #expect(try row.text(2) == "00000000-0000-0001-0000-000000000002,-")
            #expect(try row.timestamp(3) == 1)
            #expect(try row.bool(4))
        }
    }

    private struct Fields: Equatable, Sendable {
        let number: Int64
        let absent: String?
        let list: [String]?
        let last: String

        init(row: inout RowCursor) throws(PostgresError) {
            number = try row.nextInt64()
            absent = try row.nextOptionalText()
            list = try? row.nextTextArray()
            try row.skip(2)
            last = try row.nextText()
        }
    }

    @Test("a cursor reads the fields of a result and of a copy alike, also behind one that it refuses")
    func cursor() async throws {
        try await withConnection { connection in
            let sql = "SELECT 7::int8, NULL::text, ARRAY['a', NULL], true, 1.5::float8, 'end'"
            let row = try await connection.query(sql).rows[0]
            let copied = Shared([Fields]())
            _ = try await connection.copyOut("COPY (\(sql)) TO STDOUT (FORMAT binary)") { row in
                let fields = try Fields(row: &row)
                copied.withLock { $0.append(fields) }
            }
            let fields = try row.read(Fields.init(row:))
            #expect(fields.number == 7 && fields.absent == nil && fields.list == nil && fields.last == "end")
            #expect(copied.withLock { $0 } == [fields])
            var cursor = RowCursor(row)
            try cursor.skip(6)
            #expect(throws: PostgresError.self) { try cursor.nextText() }
        }
    }

    @Test("a NUL character is refused before anything is sent") func nulCharacters() async throws {
        try await withConnection { connection in
            let parameters: [PostgresParameter] = [.text("a\0b"), .jsonb("\0"), .textArray(["\0"])]
            for parameter in parameters {
                let error = await postgresError {
                    _ = try await connection.query("SELECT $1, $2", [.int64(1), parameter])
                }
                #expect(error?.kind == .invalidParameter)
                #expect(error?.nothingWasSent == true)
                #expect(error?.debugDescription.contains("parameter 2") == true)
            }
            let error = await postgresError { _ = try await connection.query("SELECT 1\0; DROP") }
            #expect(error?.kind == .invalidParameter)
            try await expectUsableOrClosed(connection)
        }
    }

    @Test("affectedRows counts the rows that the statement changed") func affectedRows() async throws {
        try await withConnection { connection in
            try await connection.execute(script: "CREATE TEMP TABLE t (i int8)")
            let inserted = try await connection.query("INSERT INTO t SELECT generate_series(1, 5)")
            #expect(inserted.affectedRows == 5)
            #expect(inserted.rows.isEmpty)
            let rows = try await connection.query("SELECT i FROM t ORDER BY i").rows
            #expect(try rows.map { try $0.int64(0) } == [1, 2, 3, 4, 5])
        }
    }

    @Test("malformed arrays are decoded as nil") func malformedArrays() {
        func array(_ words: [Int32], _ rest: [UInt8] = []) -> [UInt8] {
            words.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } } + rest
        }
        let whole = array([1, 0, 25, 1, 1, 1], [UInt8(ascii: "a")])
        #expect(whole.withUnsafeBytes { TextArrayFormat.decode($0) } == ["a"])
        for length in 0..<whole.count {
            #expect(whole.prefix(length).withUnsafeBytes { TextArrayFormat.decode($0) } == nil)
        }
        for bad in [
            array([1, 0, 25, .max, 1]), array([1, 0, 25, -1, 1]), array([1, 0, 25, 1, 1, -2]), array([.min, 0, 25]),
            array([1, 0, 20, 1, 1, 1], [0]), array([2, 0, 25, 1, 1, 1, 1]), array([1, 0, 25, 1, 1, .max]),
        ] {
            #expect(bad.withUnsafeBytes { TextArrayFormat.decode($0) } == nil)
        }
    }
}
