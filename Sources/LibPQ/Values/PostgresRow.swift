/// One row of a result.
///
/// Columns are counted from 0. A getter throws `.decoding` if the column is missing, malformed, of another type, or
/// NULL (`optionalUuid` returns nil for NULL). It never traps. `read` suits a row of many columns.
public struct PostgresRow: Sendable {
    let result: PostgresResult
    let index: Int

    /// Passes a cursor at the first column to `body`.
    @inlinable
    public func read<Value>(
        _ body: (inout RowCursor) throws(PostgresError) -> Value
    ) throws(PostgresError) -> Value {
        var cursor = RowCursor(self)
        return try body(&cursor)
    }

    func optionalValue<Format: WireFormat>(
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

    /// Returns a `smallint`.
    public func int16(_ column: Int) throws(PostgresError) -> Int16 { try value(IntegerFormat<Int16>.self, column) }

    /// Returns an `integer`.
    public func int32(_ column: Int) throws(PostgresError) -> Int32 { try value(IntegerFormat<Int32>.self, column) }

    /// Returns a `bigint`.
    public func int64(_ column: Int) throws(PostgresError) -> Int64 { try value(IntegerFormat<Int64>.self, column) }

    /// Returns a `text`, `varchar`, `char(n)` or `name`.
    public func text(_ column: Int) throws(PostgresError) -> String { try value(TextFormat.self, column) }

    /// Returns a `bytea`.
    public func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { try value(BytesFormat.self, column) }

    /// Returns a `uuid`.
    public func uuid(_ column: Int) throws(PostgresError) -> PostgresUUID { try value(UUIDFormat.self, column) }

    /// Returns `uuid`, with nil for NULL.
    public func optionalUuid(_ column: Int) throws(PostgresError) -> PostgresUUID? {
        try optionalValue(UUIDFormat.self, column)
    }

    /// Returns a `timestamptz` in microseconds since the Unix epoch. An infinite one is a decoding error.
    public func timestamp(_ column: Int) throws(PostgresError) -> Int64 { try value(TimestampFormat.self, column) }

    /// Returns an `xid8`, a transaction id that does not wrap around.
    public func xid8(_ column: Int) throws(PostgresError) -> UInt64 { try value(IntegerFormat<UInt64>.self, column) }
}
