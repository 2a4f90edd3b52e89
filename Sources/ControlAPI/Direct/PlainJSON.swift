import NIOCore

/// Reads JSON objects in a plain form (RFC 8259): strings of ASCII without escapes, and arrays of such strings. It
/// rejects anything else without a reason; `JSONBody` then reads the body and names the fault.
struct PlainJSON {
    enum Value {
        case string(String)
        case strings([String])
    }

    private let bytes: UnsafeRawBufferPointer
    private var index = 0

    /// Calls `member` with each member, until it returns false.
    /// - Returns: true if the whole body is such an object and `member` accepted each member.
    static func forEachMember(of body: ByteBuffer, _ member: (String, Value) -> Bool) -> Bool {
        body.withUnsafeReadableBytes { bytes in
            var reader = PlainJSON(bytes: bytes)
            return reader.object(member)
        }
    }

    private init(bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    private mutating func object(_ member: (String, Value) -> Bool) -> Bool {
        guard take("{") else { return false }
        repeat {
            guard let name = string(), take(":"), let value = value(), member(name, value) else { return false }
        } while take(",")
        guard take("}") else { return false }
        skipSpace()
        return index == bytes.count
    }

    private mutating func value() -> Value? {
        guard take("[") else { return string().map { .string($0) } }
        var texts: [String] = []
        if take("]") { return .strings(texts) }
        repeat {
            guard let text = string() else { return nil }
            texts.append(text)
        } while take(",")
        return take("]") ? .strings(texts) : nil
    }

    private mutating func string() -> String? {
        guard take("\"") else { return nil }
        let start = index
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                defer { index += 1 }
                return String(decoding: bytes[start..<index], as: UTF8.self)
            }
            if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\\") { return nil }
            index += 1
        }
        return nil
    }

    /// Advances beyond a character and the space before it; false if the character does not follow.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }
}
