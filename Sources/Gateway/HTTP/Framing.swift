/// The framing of a body (RFC 9112 section 6).
enum Framing: Equatable {
    /// There is no body.
    case none
    case length(UInt64)
    case chunked
    /// The body ends with the connection; for responses only.
    case untilClose
}

/// The fields of a head that define its framing and its connection. Ambiguous fields are an error.
struct MessageFields {
    private(set) var length: UInt64?
    private(set) var isChunked = false
    private(set) var saysClose = false
    private(set) var saysKeepAlive = false
    private(set) var saysUpgrade = false
    /// Fields that `Connection` names, apart from `close`, `keep-alive` and `upgrade`.
    private(set) var named: [Range<Int>] = []

    /// The maximum number of names in `Connection`; legitimate senders name fewer.
    private static let namedLimit = 32

    /// Processes a field that frames the message or controls the connection.
    @inline(__always)
    mutating func take(_ field: FieldLine, in bytes: UnsafeRawBufferPointer) throws(HeadError) {
        switch field.kind {
        case .contentLength:
            guard length == nil, let value = Self.number(bytes.part(field.value)) else { throw .malformed }
            length = value
        case .transferEncoding:
            guard !isChunked, bytes.part(field.value).equals("chunked") else { throw .malformed }
            isChunked = true
        case .connection:
            try takeConnection(field.value, in: bytes)
        default: break
        }
    }

    /// True if the connection persists after the message (RFC 9112 section 9.3).
    @inline(__always)
    func persists(_ version: HTTPVersion) -> Bool {
        !saysClose && (version == .http11 || saysKeepAlive)
    }

    /// True if `Connection` names the field, which then applies to this connection only.
    @inline(__always)
    func isNamed(_ field: FieldLine, in bytes: UnsafeRawBufferPointer) -> Bool {
        guard !named.isEmpty, field.kind.canBeNamedInConnection else { return false }
        let name = bytes.part(field.name)
        return named.contains { range in
            range.count == name.count
                && zip(bytes.part(range), name).allSatisfy { ByteClass.lowercased($0) == ByteClass.lowercased($1) }
        }
    }

    private mutating func takeConnection(_ value: Range<Int>, in bytes: UnsafeRawBufferPointer) throws(HeadError) {
        for option in bytes.list(in: value) {
            let name = bytes.part(option)
            if name.equals("close") {
                saysClose = true
            } else if name.equals("keep-alive") {
                saysKeepAlive = true
            } else if name.equals("upgrade") {
                saysUpgrade = true
            } else if !option.isEmpty {
                guard named.count < Self.namedLimit else { throw .malformed }
                named.append(option)
            }
        }
    }

    /// Parses `1*DIGIT`: no sign, no list, at most 18 digits.
    @inline(__always)
    static func number(_ digits: UnsafeRawBufferPointer) -> UInt64? {
        guard (1...18).contains(digits.count) else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard ByteClass.isDigit(digit) else { return nil }
            value = value &* 10 &+ UInt64(digit &- 0x30)
        }
        return value
    }
}

/// The HTTP versions that the gateway supports.
enum HTTPVersion: Equatable {
    case http10, http11

    /// Parses `HTTP/1.x` (RFC 9112 section 2.3).
    init(_ text: UnsafeRawBufferPointer) throws(HeadError) {
        guard text.count == 8, text[0] == 0x48, text[1] == 0x54, text[2] == 0x54, text[3] == 0x50,
            text[4] == ByteClass.slash, ByteClass.isDigit(text[5]), text[6] == 0x2E, ByteClass.isDigit(text[7])
        else { throw .malformed }
        switch (text[5], text[7]) {
        case (0x31, 0x31): self = .http11
        case (0x31, 0x30): self = .http10
        default: throw .unsupportedVersion
        }
    }
}
