/// A statement parameter. It is sent in PostgreSQL's binary format with its type, so it is never parsed as SQL.
public enum PostgresParameter: Hashable, Sendable {
    /// NULL. The server infers its type from the statement.
    case null
    /// `boolean`.
    case bool(Bool)
    /// `smallint`.
    case int16(Int16)
    /// `integer`.
    case int32(Int32)
    /// `bigint`.
    case int64(Int64)
    /// `double precision`.
    case double(Double)
    /// `text`. PostgreSQL cannot store a NUL character; such a text is refused before anything is sent.
    case text(String)
    /// `bytea`.
    case bytes([UInt8])
    /// `uuid`.
    case uuid(PostgresUUID)
    /// `timestamptz`.
    case timestamp(microsecondsSinceUnixEpoch: Int64)
    /// `xid8`, a transaction id as `pg_current_xact_id()` returns it.
    case xid8(UInt64)
    /// `jsonb`, from its text, which the server checks.
    case jsonb(String)
    /// `text[]`; nil is NULL, here and in the other arrays.
    case textArray([String?])
    /// `bytea[]`.
    case bytesArray([[UInt8]?])
    /// `uuid[]`.
    case uuidArray([PostgresUUID?])
    /// `bigint[]`.
    case int64Array([Int64?])
    /// `double precision[]`.
    case doubleArray([Double?])
    /// `timestamptz[]`, each in microseconds since the Unix epoch.
    case timestampArray([Int64?])
}

extension PostgresParameter: CustomStringConvertible, CustomReflectable {
    /// The type alone: values must not appear in logs.
    public var description: String {
        switch self {
        case .null: "null"
        case .bool: "bool"
        case .int16: "int16"
        case .int32: "int32"
        case .int64: "int64"
        case .double: "double"
        case .text: "text"
        case .bytes: "bytes"
        case .uuid: "uuid"
        case .timestamp: "timestamp"
        case .xid8: "xid8"
        case .jsonb: "jsonb"
        case .textArray: "text array"
        case .bytesArray: "bytes array"
        case .uuidArray: "uuid array"
        case .int64Array: "int64 array"
        case .doubleArray: "double array"
        case .timestampArray: "timestamp array"
        }
    }

    /// Empty, so that `dump` shows no more than `description`.
    public var customMirror: Mirror { Mirror(self, children: []) }

    var type: UInt32 {
        switch self {
        case .null: PostgresType.unspecified
        case .bool: PostgresType.bool
        case .int16: PostgresType.int2
        case .int32: PostgresType.int4
        case .int64: PostgresType.int8
        case .double: PostgresType.float8
        case .text: PostgresType.text
        case .bytes: PostgresType.bytea
        case .uuid: PostgresType.uuid
        case .timestamp: PostgresType.timestamptz
        case .xid8: PostgresType.xid8
        case .jsonb: PostgresType.jsonb
        case .textArray: PostgresType.textArray
        case .bytesArray: PostgresType.byteaArray
        case .uuidArray: PostgresType.uuidArray
        case .int64Array: PostgresType.int8Array
        case .doubleArray: PostgresType.float8Array
        case .timestampArray: PostgresType.timestamptzArray
        }
    }
}

/// One statement with its parameters; `$1` is the first.
public struct PostgresStatement: Hashable, Sendable {
    /// The SQL, one statement.
    public var sql: String
    /// The values of `$1`, `$2` …
    public var parameters: [PostgresParameter]

    /// Creates a statement with the values of its `$1`, `$2` …
    public init(_ sql: String, _ parameters: [PostgresParameter] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}
