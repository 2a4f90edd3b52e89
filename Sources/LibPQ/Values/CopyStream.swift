/// A parser of the framing of a binary COPY: a header, rows, a trailer (PostgreSQL, "COPY", "Binary Format").
struct CopyStream {
    static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    private var hasHeader = false
    private(set) var isComplete = false
    private(set) var rowCount = 0

    /// Parses one CopyData message and passes each row in it to `row`. The server sends whole rows, and the header
    /// before the first one.
    mutating func receive(
        _ message: UnsafeRawBufferPointer, row: (inout RowCursor) throws -> Void
    ) throws(PostgresError) {
        var reader = WireReader(message)
        if !hasHeader { try readHeader(&reader) }
        while !reader.isAtEnd {
            guard !isComplete, let fields = reader.integer(Int16.self) else { throw Self.malformed() }
            if fields == -1 {
                isComplete = true
                continue
            }
            guard fields >= 0 else { throw Self.malformed() }
            var next = RowCursor(reader, fields: fields)
            do {
                try row(&next)
            } catch let error as PostgresError {
                throw error
            } catch {
                throw PostgresError(.rowHandlerFailed, underlying: error)
            }
            rowCount += 1
            reader = try next.rest()
        }
    }

    private mutating func readHeader(_ reader: inout WireReader) throws(PostgresError) {
        guard let signature = reader.bytes(Int32(Self.signature.count)), signature.elementsEqual(Self.signature),
            let flags = reader.integer(UInt32.self), flags >> 16 == 0,
            let extensionLength = reader.integer(Int32.self), reader.bytes(extensionLength) != nil
        else { throw Self.malformed() }
        hasHeader = true
    }

    private static func malformed() -> PostgresError {
        PostgresError(.decoding, detail: "the data is not a binary COPY stream")
    }
}
