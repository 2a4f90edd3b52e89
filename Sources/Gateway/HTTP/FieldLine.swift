/// One header field of a head: the ranges of its name and its value, and its kind.
struct FieldLine: Equatable {
    let name: Range<Int>
    /// Without the whitespace around it.
    let value: Range<Int>
    let kind: FieldKind
}

/// The field lines of a head. The memory is reused for the next head.
struct FieldLines {
    private(set) var lines: [FieldLine] = []

    init() {
        lines.reserveCapacity(32)
    }

    /// Parses the field section that begins at `start` and ends at the end of the bytes (RFC 9112 section 5). Refuses,
    /// among others, folded lines, whitespace before the colon, empty names and control characters.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, from start: Int, limit: Int
    ) throws(HeadError) {
        lines.removeAll(keepingCapacity: true)
        var position = start
        while true {
            guard position + 1 < bytes.count else { throw .malformed }
            if bytes[position] == ByteClass.carriageReturn {
                guard position + 2 == bytes.count, bytes[position + 1] == ByteClass.lineFeed else { throw .malformed }
                return
            }
            guard lines.count < limit else { throw .tooLarge }
            lines.append(try Self.readLine(bytes, &position))
        }
    }

    /// The offset after a line: the start of the next line, or of the empty one.
    @inline(__always)
    func start(after index: Int, in bytes: UnsafeRawBufferPointer) -> Int {
        index + 1 < lines.count ? lines[index + 1].name.lowerBound : bytes.count - 2
    }

    @inline(__always)
    private static func readLine(
        _ bytes: UnsafeRawBufferPointer, _ position: inout Int
    ) throws(HeadError) -> FieldLine {
        let nameStart = position
        while position < bytes.count, ByteClass.isToken(bytes[position]) { position += 1 }
        let name = nameStart..<position
        guard !name.isEmpty, position < bytes.count, bytes[position] == ByteClass.colon else { throw .malformed }
        position += 1
        let valueStart = position
        while position < bytes.count, ByteClass.isFieldContent(bytes[position]) { position += 1 }
        let value = bytes.trimmed(valueStart..<position)
        guard position + 1 < bytes.count, bytes[position] == ByteClass.carriageReturn,
            bytes[position + 1] == ByteClass.lineFeed
        else { throw .malformed }
        position += 2
        return FieldLine(name: name, value: value, kind: FieldKind(bytes.part(name)))
    }
}
