/// One row of a binary COPY, read field by field in column order.
///
/// The row borrows libpq's buffer: a field is copied only when it is read, and the row cannot be stored. COPY transfers
/// no types, so the reader has to know them. A wrong length, a NULL or a missing field throws `.decoding`; it never
/// traps. Fields that are not read are skipped (PostgreSQL, "COPY", "Binary Format").
public struct CopyRow: ~Copyable {
    private var reader: WireReader
    private var fieldsLeft: Int16

    init(_ reader: WireReader, fields: Int16) {
        self.reader = reader
        fieldsLeft = fields
    }

    /// The number of fields that have not been read yet.
    public var remainingFields: Int { Int(fieldsLeft) }

    /// Skips the next field.
    public mutating func skip() throws(PostgresError) { _ = try field() }

    /// Passes the next field's raw bytes to `body` without a copy; nil for NULL.
    public mutating func withNextBytes<R, E: Error>(_ body: (RawSpan?) throws(E) -> R) throws -> R {
        guard let field = try field() else { return try body(nil) }
        return try body(field.bytes)
    }

    /// Skips the unread fields and returns the reader at the end of the row in its message.
    consuming func rest() throws(PostgresError) -> WireReader {
        while fieldsLeft > 0 { try skip() }
        return reader
    }

    @inline(__always)
    private mutating func field() throws(PostgresError) -> UnsafeRawBufferPointer? {
        guard fieldsLeft > 0, let length = reader.integer(Int32.self) else { throw Self.malformed() }
        fieldsLeft -= 1
        if length == -1 { return nil }
        guard let bytes = reader.bytes(length) else { throw Self.malformed() }
        return bytes
    }

    @inline(__always)
    private mutating func nextOptional<Format: WireFormat>(
        _ format: Format.Type
    ) throws(PostgresError) -> Format.Value? {
        guard let bytes = try field() else { return nil }
        guard let value = format.decode(bytes) else { throw Self.malformed() }
        return value
    }

    @inline(__always)
    private mutating func next<Format: WireFormat>(_ format: Format.Type) throws(PostgresError) -> Format.Value {
        guard let value = try nextOptional(format) else { throw Self.malformed() }
        return value
    }

    private static func malformed() -> PostgresError {
        PostgresError(.decoding, detail: "a copied field is NULL, missing or not of the requested type")
    }
}

extension CopyRow {
    /// Reads a `boolean`.
    @inline(__always)
    public mutating func nextBool() throws(PostgresError) -> Bool { try next(BoolFormat.self) }

    /// Reads like `nextBool`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalBool() throws(PostgresError) -> Bool? { try nextOptional(BoolFormat.self) }

    /// Reads a `smallint`.
    @inline(__always)
    public mutating func nextInt16() throws(PostgresError) -> Int16 { try next(IntegerFormat<Int16>.self) }

    /// Reads like `nextInt16`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalInt16() throws(PostgresError) -> Int16? {
        try nextOptional(IntegerFormat<Int16>.self)
    }

    /// Reads an `integer`.
    @inline(__always)
    public mutating func nextInt32() throws(PostgresError) -> Int32 { try next(IntegerFormat<Int32>.self) }

    /// Reads like `nextInt32`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalInt32() throws(PostgresError) -> Int32? {
        try nextOptional(IntegerFormat<Int32>.self)
    }

    /// Reads a `bigint`.
    @inline(__always)
    public mutating func nextInt64() throws(PostgresError) -> Int64 { try next(IntegerFormat<Int64>.self) }

    /// Reads like `nextInt64`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalInt64() throws(PostgresError) -> Int64? {
        try nextOptional(IntegerFormat<Int64>.self)
    }

    /// Reads a `double precision`.
    @inline(__always)
    public mutating func nextDouble() throws(PostgresError) -> Double { try next(DoubleFormat.self) }

    /// Reads like `nextDouble`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalDouble() throws(PostgresError) -> Double? { try nextOptional(DoubleFormat.self) }

    /// Reads a `text`, `varchar`, `char(n)` or `name`.
    @inline(__always)
    public mutating func nextText() throws(PostgresError) -> String { try next(TextFormat.self) }

    /// Reads like `nextText`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalText() throws(PostgresError) -> String? { try nextOptional(TextFormat.self) }

    /// Reads a `bytea`.
    @inline(__always)
    public mutating func nextBytes() throws(PostgresError) -> [UInt8] { try next(BytesFormat.self) }

    /// Reads like `nextBytes`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalBytes() throws(PostgresError) -> [UInt8]? { try nextOptional(BytesFormat.self) }

    /// Reads a `uuid`.
    @inline(__always)
    public mutating func nextUuid() throws(PostgresError) -> PostgresUUID { try next(UUIDFormat.self) }

    /// Reads like `nextUuid`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalUuid() throws(PostgresError) -> PostgresUUID? { try nextOptional(UUIDFormat.self) }

    /// Reads a `timestamptz` in microseconds since the Unix epoch. An infinite one is a decoding error.
    @inline(__always)
    public mutating func nextTimestamp() throws(PostgresError) -> Int64 { try next(TimestampFormat.self) }

    /// Reads like `nextTimestamp`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalTimestamp() throws(PostgresError) -> Int64? {
        try nextOptional(TimestampFormat.self)
    }

    /// Reads like `nextTimestamp`, with `-infinity` as `Int64.min` and `infinity` as `Int64.max`.
    @inline(__always)
    public mutating func nextTimestampOrInfinity() throws(PostgresError) -> Int64 {
        try next(UnboundedTimestampFormat.self)
    }

    /// Reads like `nextTimestampOrInfinity`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalTimestampOrInfinity() throws(PostgresError) -> Int64? {
        try nextOptional(UnboundedTimestampFormat.self)
    }

    /// Reads an `xid8`, a transaction id that does not wrap around.
    @inline(__always)
    public mutating func nextXid8() throws(PostgresError) -> UInt64 { try next(IntegerFormat<UInt64>.self) }

    /// Reads like `nextXid8`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalXid8() throws(PostgresError) -> UInt64? {
        try nextOptional(IntegerFormat<UInt64>.self)
    }

    /// Reads a `jsonb` as its text.
    @inline(__always)
    public mutating func nextJsonb() throws(PostgresError) -> String { try next(JSONBFormat.self) }

    /// Reads like `nextJsonb`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalJsonb() throws(PostgresError) -> String? { try nextOptional(JSONBFormat.self) }

    /// Reads a one-dimensional array of text. A NULL element is a decoding error.
    @inline(__always)
    public mutating func nextTextArray() throws(PostgresError) -> [String] { try next(TextArrayFormat.self) }

    /// Reads like `nextTextArray`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalTextArray() throws(PostgresError) -> [String]? {
        try nextOptional(TextArrayFormat.self)
    }

    /// Reads a one-dimensional array of text, with nil for NULL elements.
    @inline(__always)
    public mutating func nextNullableTextArray() throws(PostgresError) -> [String?] {
        try next(NullableTextArrayFormat.self)
    }

    /// Reads like `nextNullableTextArray`, with nil for NULL.
    @inline(__always)
    public mutating func nextOptionalNullableTextArray() throws(PostgresError) -> [String?]? {
        try nextOptional(NullableTextArrayFormat.self)
    }
}
