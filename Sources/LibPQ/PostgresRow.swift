/// One row of a result.
///
/// Columns are counted from 0. A getter throws `.decoding` if the column is missing, malformed, of another type, or
/// NULL (the `optional…` ones return nil for NULL). It never traps.
public struct PostgresRow: Sendable {
    let result: PostgresResult
    let index: Int

    private func optionalValue<Format: WireFormat>(
        _ format: Format.Type, _ column: Int
    ) throws(PostgresError) -> Format.Value? {
        try result.withField(row: index, column: column, types: format.types) {
            (bytes) throws(PostgresError) -> Format.Value? in
            guard let bytes else { return nil }
            guard let value = format.decode(bytes) else {
                throw PostgresError(.decoding, detail: "column \(column) is malformed or out of range")
            }
            return value
        }
    }

    private func value<Format: WireFormat>(_ format: Format.Type, _ column: Int) throws(PostgresError) -> Format.Value {
        guard let value = try optionalValue(format, column) else {
            throw PostgresError(.decoding, detail: "column \(column) is NULL")
        }
        return value
    }
}

extension PostgresRow {
    /// Returns a `boolean`.
    public func bool(_ column: Int) throws(PostgresError) -> Bool { try value(BoolFormat.self, column) }

    /// Returns `bool`, with nil for NULL.
    public func optionalBool(_ column: Int) throws(PostgresError) -> Bool? {
        try optionalValue(BoolFormat.self, column)
    }

    /// Returns a `smallint`.
    public func int16(_ column: Int) throws(PostgresError) -> Int16 { try value(IntegerFormat<Int16>.self, column) }

    /// Returns `int16`, with nil for NULL.
    public func optionalInt16(_ column: Int) throws(PostgresError) -> Int16? {
        try optionalValue(IntegerFormat<Int16>.self, column)
    }

    /// Returns an `integer`.
    public func int32(_ column: Int) throws(PostgresError) -> Int32 { try value(IntegerFormat<Int32>.self, column) }

    /// Returns `int32`, with nil for NULL.
    public func optionalInt32(_ column: Int) throws(PostgresError) -> Int32? {
        try optionalValue(IntegerFormat<Int32>.self, column)
    }

    /// Returns a `bigint`.
    public func int64(_ column: Int) throws(PostgresError) -> Int64 { try value(IntegerFormat<Int64>.self, column) }

    /// Returns `int64`, with nil for NULL.
    public func optionalInt64(_ column: Int) throws(PostgresError) -> Int64? {
        try optionalValue(IntegerFormat<Int64>.self, column)
    }

    /// Returns a `double precision`.
    public func double(_ column: Int) throws(PostgresError) -> Double { try value(DoubleFormat.self, column) }

    /// Returns `double`, with nil for NULL.
    public func optionalDouble(_ column: Int) throws(PostgresError) -> Double? {
        try optionalValue(DoubleFormat.self, column)
    }

    /// Returns a `text`, `varchar`, `char(n)` or `name`.
    public func text(_ column: Int) throws(PostgresError) -> String { try value(TextFormat.self, column) }

    /// Returns `text`, with nil for NULL.
    public func optionalText(_ column: Int) throws(PostgresError) -> String? {
        try optionalValue(TextFormat.self, column)
    }

    /// Returns a `bytea`.
    public func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { try value(BytesFormat.self, column) }

    /// Returns `bytes`, with nil for NULL.
    public func optionalBytes(_ column: Int) throws(PostgresError) -> [UInt8]? {
        try optionalValue(BytesFormat.self, column)
    }

    /// Returns a `uuid`.
    public func uuid(_ column: Int) throws(PostgresError) -> PostgresUUID { try value(UUIDFormat.self, column) }

    /// Returns `uuid`, with nil for NULL.
    public func optionalUuid(_ column: Int) throws(PostgresError) -> PostgresUUID? {
        try optionalValue(UUIDFormat.self, column)
    }

    /// Returns a `timestamptz` in microseconds since the Unix epoch. An infinite one is a decoding error.
    public func timestamp(_ column: Int) throws(PostgresError) -> Int64 { try value(TimestampFormat.self, column) }

    /// Returns `timestamp`, with nil for NULL.
    public func optionalTimestamp(_ column: Int) throws(PostgresError) -> Int64? {
        try optionalValue(TimestampFormat.self, column)
    }

    /// Returns `timestamp`, with `-infinity` as `Int64.min` and `infinity` as `Int64.max`.
    public func timestampOrInfinity(_ column: Int) throws(PostgresError) -> Int64 {
        try value(UnboundedTimestampFormat.self, column)
    }

    /// Returns `timestampOrInfinity`, with nil for NULL.
    public func optionalTimestampOrInfinity(_ column: Int) throws(PostgresError) -> Int64? {
        try optionalValue(UnboundedTimestampFormat.self, column)
    }

    /// Returns an `xid8`, a transaction id that does not wrap around.
    public func xid8(_ column: Int) throws(PostgresError) -> UInt64 { try value(IntegerFormat<UInt64>.self, column) }

    /// Returns `xid8`, with nil for NULL.
    public func optionalXid8(_ column: Int) throws(PostgresError) -> UInt64? {
        try optionalValue(IntegerFormat<UInt64>.self, column)
    }

    /// Returns a `jsonb` as its text.
    public func jsonb(_ column: Int) throws(PostgresError) -> String { try value(JSONBFormat.self, column) }

    /// Returns `jsonb`, with nil for NULL.
    public func optionalJsonb(_ column: Int) throws(PostgresError) -> String? {
        try optionalValue(JSONBFormat.self, column)
    }

    /// Returns a one-dimensional array of text. A NULL element is a decoding error.
    public func textArray(_ column: Int) throws(PostgresError) -> [String] { try value(TextArrayFormat.self, column) }

    /// Returns `textArray`, with nil for NULL.
    public func optionalTextArray(_ column: Int) throws(PostgresError) -> [String]? {
        try optionalValue(TextArrayFormat.self, column)
    }

    /// Returns a one-dimensional array of text, with nil for NULL elements.
    public func nullableTextArray(_ column: Int) throws(PostgresError) -> [String?] {
        try value(NullableTextArrayFormat.self, column)
    }

    /// Returns `nullableTextArray`, with nil for NULL.
    public func optionalNullableTextArray(_ column: Int) throws(PostgresError) -> [String?]? {
        try optionalValue(NullableTextArrayFormat.self, column)
    }
}
