/// A decoder of one type from PostgreSQL's binary format (the server's `typsend` functions), shared by results and
/// COPY.
protocol WireFormat {
    associatedtype Value
    /// The server's types that have this format.
    static var types: [UInt32] { get }
    /// Decodes a value from exactly these bytes; nil if they are malformed.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Value?
}

/// Big-endian integers.
enum IntegerFormat<Value: FixedWidthInteger>: WireFormat {
    static var types: [UInt32] {
        switch Value.self {
        case is Int16.Type: [PostgresType.int2]
        case is Int32.Type: [PostgresType.int4]
        case is Int64.Type: [PostgresType.int8]
        case is UInt64.Type: [PostgresType.xid8]
        default: []
        }
    }

    @inline(__always)
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Value? {
        guard bytes.count == MemoryLayout<Value>.size else { return nil }
        return Value(bigEndian: bytes.loadUnaligned(as: Value.self))
    }
}

enum DoubleFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.float8] }

    @inline(__always)
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Double? {
        guard bytes.count == 8 else { return nil }
        return Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
    }
}

enum BoolFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.bool] }

    @inline(__always)
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Bool? {
        guard bytes.count == 1 else { return nil }
        return bytes[0] != 0
    }
}

enum UUIDFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.uuid] }

    @inline(__always)
    static func decode(_ bytes: UnsafeRawBufferPointer) -> PostgresUUID? {
        guard bytes.count == 16 else { return nil }
        return PostgresUUID(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
}

/// Microseconds since the Unix epoch; infinities are not valid.
enum TimestampFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.timestamptz] }

    @inline(__always)
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard let value = IntegerFormat<Int64>.decode(bytes), value != .min, value != .max else { return nil }
        let (microseconds, overflow) = value.addingReportingOverflow(PostgresType.epochMicroseconds)
        return overflow ? nil : microseconds
    }
}

/// Like `TimestampFormat`, with `-infinity` as the smallest and `infinity` as the largest number. Values out of range
/// become the largest.
enum UnboundedTimestampFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.timestamptz] }

    @inline(__always)
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard let value = IntegerFormat<Int64>.decode(bytes) else { return nil }
        if value == .min { return .min }
        let (microseconds, overflow) = value.addingReportingOverflow(PostgresType.epochMicroseconds)
        return overflow ? .max : microseconds
    }
}

enum BytesFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.bytea] }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? { Array(bytes) }
}

enum TextFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.text, PostgresType.varchar, PostgresType.name, PostgresType.bpchar] }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
        String(validating: bytes, as: UTF8.self)
    }
}

enum JSONBFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.jsonb] }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
        // The first byte is the version of the format: 1 (`jsonb_send`).
        guard bytes.first == 1 else { return nil }
        return TextFormat.decode(UnsafeRawBufferPointer(rebasing: bytes[1...]))
    }
}

/// One-dimensional arrays of text without NULLs (`array_send`).
enum TextArrayFormat: WireFormat {
    static var types: [UInt32] { [PostgresType.textArray, PostgresType.varcharArray, PostgresType.nameArray] }

    static func decode(_ bytes: UnsafeRawBufferPointer) -> [String]? {
        var reader = WireReader(bytes)
        guard let dimensions = reader.integer(Int32.self), reader.integer(Int32.self) != nil,
            let type = reader.integer(UInt32.self), TextFormat.types.contains(type)
        else { return nil }
        guard dimensions > 0 else { return dimensions == 0 && reader.isAtEnd ? [] : nil }
        guard dimensions == 1, let count = reader.integer(Int32.self), reader.integer(Int32.self) != nil,
            count >= 0, Int(count) <= reader.remaining / 4
        else { return nil }
        var elements: [String] = []
        elements.reserveCapacity(Int(count))
        for _ in 0..<count {
            // The length of a NULL is -1, which `bytes` refuses.
            guard let length = reader.integer(Int32.self), let element = reader.bytes(length),
                let text = TextFormat.decode(element)
            else { return nil }
            elements.append(text)
        }
        return reader.isAtEnd ? elements : nil
    }
}

/// A cursor over bytes from the server that never reads past the end.
struct WireReader {
    private let buffer: UnsafeRawBufferPointer
    private var position = 0

    @inline(__always)
    init(_ buffer: UnsafeRawBufferPointer) { self.buffer = buffer }

    @inline(__always)
    var remaining: Int { buffer.count - position }

    @inline(__always)
    var isAtEnd: Bool { position == buffer.count }

    @inline(__always)
    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        guard remaining >= MemoryLayout<Value>.size else { return nil }
        let value = Value(bigEndian: buffer.loadUnaligned(fromByteOffset: position, as: Value.self))
        position += MemoryLayout<Value>.size
        return value
    }

    @inline(__always)
    mutating func bytes(_ count: Int32) -> UnsafeRawBufferPointer? {
        guard count >= 0, Int(count) <= remaining else {
            // Nothing is read from the middle of a field.
            position = buffer.count
            return nil
        }
        let start = position
        position += Int(count)
        return UnsafeRawBufferPointer(rebasing: buffer[start..<position])
    }
}
