/// A row that is read field by field, in the order of its columns: a row of a result, or of a binary COPY.
///
/// A field is copied only when it is read. A row of a COPY borrows libpq's buffer, so the cursor cannot be stored. COPY
/// transfers no types, so the reader has to know them. A wrong length, a NULL or a missing field throws `.decoding`; it
/// never traps. Fields that are not read are skipped (PostgreSQL, "COPY", "Binary Format").
public struct RowCursor: ~Copyable {
    /// The row of a result; nil for a COPY.
    private let row: PostgresRow?
    /// The unread bytes of a copied row.
    private var reader: WireReader
    private let columnCount: Int
    /// The next column to be read.
    private var column = 0

    /// Creates a cursor at the first column of a row.
    public init(_ row: PostgresRow) {
        self.row = row
        reader = WireReader(UnsafeRawBufferPointer(start: nil, count: 0))
        columnCount = 0
    }

    /// Creates a cursor at the first field of a copied row.
    init(_ reader: WireReader, fields: Int16) {
        row = nil
        self.reader = reader
        columnCount = Int(fields)
    }

    /// Skips the next fields.
    public mutating func skip(_ count: Int = 1) throws(PostgresError) {
        for _ in 0..<count {
            if row == nil { _ = try copiedField() }
            column += 1
        }
    }

    /// Skips the unread fields of a copied row, and returns the reader at its end.
    consuming func rest() throws(PostgresError) -> WireReader {
        while column < columnCount { try skip() }
        return reader
    }

    @inline(__always)
    private mutating func copiedField() throws(PostgresError) -> UnsafeRawBufferPointer? {
        guard column < columnCount, let length = reader.integer(Int32.self) else { throw malformed(column) }
        if length == -1 { return nil }
        guard let bytes = reader.bytes(length) else { throw malformed(column) }
        return bytes
    }

    @inline(__always)
    private mutating func nextOptional<Format: WireFormat>(
        _ format: Format.Type
    ) throws(PostgresError) -> Format.Value? {
        defer { column += 1 }
        if let row { return try row.optionalValue(format, column) }
        guard let bytes = try copiedField() else { return nil }
        guard let value = format.decode(bytes) else { throw malformed(column) }
        return value
    }

    @inline(__always)
    private mutating func next<Format: WireFormat>(_ format: Format.Type) throws(PostgresError) -> Format.Value {
        guard let value = try nextOptional(format) else { throw malformed(column - 1) }
        return value
    }

    private func malformed(_ column: Int) -> PostgresError {
        PostgresError(.decoding, detail: "column \(column) is NULL, missing or not of the requested type")
    }
}

extension RowCursor {
    /// Reads a `boolean`.
    public mutating func nextBool() throws(PostgresError) -> Bool { try next(BoolFormat.self) }

    /// Reads like `nextBool`, with nil for NULL.
    public mutating func nextOptionalBool() throws(PostgresError) -> Bool? { try nextOptional(BoolFormat.self) }

    /// Reads a `smallint`.
    public mutating func nextInt16() throws(PostgresError) -> Int16 { try next(IntegerFormat<Int16>.self) }

    /// Reads an `integer`.
    public mutating func nextInt32() throws(PostgresError) -> Int32 { try next(IntegerFormat<Int32>.self) }

    /// Reads a `bigint`.
    public mutating func nextInt64() throws(PostgresError) -> Int64 { try next(IntegerFormat<Int64>.self) }

    /// Reads like `nextInt64`, with nil for NULL.
    public mutating func nextOptionalInt64() throws(PostgresError) -> Int64? {
        try nextOptional(IntegerFormat<Int64>.self)
    }

    /// Reads a `double precision`.
    public mutating func nextDouble() throws(PostgresError) -> Double { try next(DoubleFormat.self) }

    /// Reads like `nextDouble`, with nil for NULL.
    public mutating func nextOptionalDouble() throws(PostgresError) -> Double? { try nextOptional(DoubleFormat.self) }

    /// Reads a `text`, `varchar`, `char(n)` or `name`.
    public mutating func nextText() throws(PostgresError) -> String { try next(TextFormat.self) }

    /// Reads like `nextText`, with nil for NULL.
    public mutating func nextOptionalText() throws(PostgresError) -> String? { try nextOptional(TextFormat.self) }

    /// Reads a `bytea`.
    public mutating func nextBytes() throws(PostgresError) -> [UInt8] { try next(BytesFormat.self) }

    /// Reads like `nextBytes`, with nil for NULL.
    public mutating func nextOptionalBytes() throws(PostgresError) -> [UInt8]? { try nextOptional(BytesFormat.self) }

    /// Reads a `uuid`.
    public mutating func nextUuid() throws(PostgresError) -> PostgresUUID { try next(UUIDFormat.self) }

    /// Reads like `nextUuid`, with nil for NULL.
    public mutating func nextOptionalUuid() throws(PostgresError) -> PostgresUUID? { try nextOptional(UUIDFormat.self) }

    /// Reads a `timestamptz` in microseconds since the Unix epoch, with `-infinity` as `Int64.min` and `infinity` as
    /// `Int64.max`.
    public mutating func nextTimestampOrInfinity() throws(PostgresError) -> Int64 {
        try next(UnboundedTimestampFormat.self)
    }

    /// Reads like `nextTimestampOrInfinity`, with nil for NULL.
    public mutating func nextOptionalTimestampOrInfinity() throws(PostgresError) -> Int64? {
        try nextOptional(UnboundedTimestampFormat.self)
    }

    /// Reads an `xid8`, a transaction id that does not wrap around.
    public mutating func nextXid8() throws(PostgresError) -> UInt64 { try next(IntegerFormat<UInt64>.self) }

    /// Reads like `nextXid8`, with nil for NULL.
    public mutating func nextOptionalXid8() throws(PostgresError) -> UInt64? {
        try nextOptional(IntegerFormat<UInt64>.self)
    }

    /// Reads a `jsonb` as its text.
    public mutating func nextJsonb() throws(PostgresError) -> String { try next(JSONBFormat.self) }

    /// Reads a one-dimensional array of text. A NULL element is a decoding error.
    public mutating func nextTextArray() throws(PostgresError) -> [String] { try next(TextArrayFormat.self) }

    /// Reads like `nextTextArray`, with nil for NULL.
    public mutating func nextOptionalTextArray() throws(PostgresError) -> [String]? {
        try nextOptional(TextArrayFormat.self)
    }
}
