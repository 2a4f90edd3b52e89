import CLibPQ

/// The result of one statement. Immutable; libpq owns its memory, which is freed with the last reference.
public final class PostgresResult: @unchecked Sendable {
    // Unchecked: a PGresult is read-only after its creation and "can be passed around freely between threads" (libpq,
    // "Behavior in Threaded Programs"). This class never changes it, and frees it with the last reference.
    let pointer: OpaquePointer
    private let columnCount: Int
    private let rowCount: Int

    /// Creates a result that owns `pointer`.
    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        columnCount = Int(PQnfields(pointer))
        rowCount = Int(PQntuples(pointer))
    }

    deinit { PQclear(pointer) }

    /// The rows, in the order of their arrival.
    public var rows: PostgresRows { PostgresRows(result: self, count: rowCount) }

    /// The number of rows that the statement inserted, changed, deleted or returned; 0 for other statements.
    public var affectedRows: Int {
        // libpq declares the text mutable for historical reasons only.
        Int(String(cString: PQcmdTuples(pointer))) ?? 0
    }

    /// The command tag's text, such as `COMMIT`.
    var commandStatus: String { String(cString: PQcmdStatus(pointer)) }

    /// Passes the bytes of a field to `body`, valid only during the call; nil for NULL.
    func withField<R>(
        row: Int, column: Int, types: [UInt32],
        _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        guard column >= 0, column < columnCount, row >= 0, row < rowCount else {
            throw PostgresError(.decoding, detail: "column \(column) does not exist in a row of \(columnCount) columns")
        }
        // The conversions cannot trap: both are below counts that libpq holds in 32 bits.
        let (row, column) = (Int32(row), Int32(column))
        let type = PQftype(pointer, column)
        guard types.contains(type), PQfformat(pointer, column) == 1 else {
            throw PostgresError(.decoding, detail: "column \(column) is of type \(type), not \(types)")
        }
        if PQgetisnull(pointer, row, column) == 1 { return try body(nil) }
        let length = Int(PQgetlength(pointer, row, column))
        return try body(UnsafeRawBufferPointer(start: PQgetvalue(pointer, row, column), count: length))
    }
}

/// The rows of a result.
public struct PostgresRows: RandomAccessCollection, Sendable {
    let result: PostgresResult
    /// The number of rows.
    public let count: Int

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }
    /// The row at `position`. Its fields are decoded when they are read.
    public subscript(position: Int) -> PostgresRow { PostgresRow(result: result, index: position) }
}
