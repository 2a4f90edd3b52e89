import CLibPQ

/// The answer to one statement. Immutable; its memory is libpq's and goes with the last reference.
public final class PostgresResult: @unchecked Sendable {
    // Unchecked: a PGresult is read-only once made and "can be passed around freely between threads" (libpq, "Behavior in
    // Threaded Programs"); this class never changes it, and frees it when nobody holds it any more.
    let pointer: OpaquePointer
    private let columnCount: Int
    private let rowCount: Int

    /// Takes over `pointer`.
    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        columnCount = Int(PQnfields(pointer))
        rowCount = Int(PQntuples(pointer))
    }

    deinit { PQclear(pointer) }

    /// The rows, in the order they came.
    public var rows: PostgresRows { PostgresRows(result: self, count: rowCount) }

    /// How many rows the statement inserted, changed, deleted or returned; 0 for statements that do none of it.
    public var affectedRows: Int {
        // libpq declares the text mutable only for history's sake.
        Int(String(cString: PQcmdTuples(pointer))) ?? 0
    }

    /// The command tag's text, such as `COMMIT`.
    var commandStatus: String { String(cString: PQcmdStatus(pointer)) }

    /// The bytes of a field, valid while `body` runs; nil for NULL.
    func withField<R>(
        row: Int, column: Int, types: [UInt32],
        _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
    ) throws(PostgresError) -> R {
        guard column >= 0, column < columnCount, row >= 0, row < rowCount else {
            throw PostgresError(.decoding, detail: "no column \(column) in a row of \(columnCount)")
        }
        // Both fit: they are below counts that libpq holds in 32 bits.
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
    /// How many rows there are.
    public let count: Int

    public var startIndex: Int { 0 }
    public var endIndex: Int { count }
    /// A row; its fields are read when asked for.
    public subscript(position: Int) -> PostgresRow { PostgresRow(result: result, index: position) }
}
