import NIOCore

/// A translator that writes an HTTP/2 request as an HTTP/1.1 request (RFC 9113 section 8), so that one parser reads all
/// requests.
///
/// It refuses requests that HTTP/1.1 could not carry unchanged. These have a pseudo-header with a byte that would end
/// or split the request line, a field of a connection, or a body whose size differs from its length. The parser checks
/// everything else.
struct RequestTranslator {
    private var isChunked = false
    private var hasHead = false
    /// The bytes of the body that are still missing; nil if the request declares no length.
    private var bytesLeft: UInt64?
    private(set) var hasEnded = false
    /// True if the request is HEAD, so that the response has no body.
    private(set) var isToHead = false

    /// Translates a field section: the head, or the trailers.
    mutating func fields(_ section: FieldSection, isEnd: Bool) throws(HeadError) -> ByteBuffer {
        guard !hasEnded else { throw .malformed }
        hasEnded = isEnd
        guard hasHead else {
            hasHead = true
            let out = try head(section, isEnd: isEnd)
            try countBody(0)
            return out
        }
        guard isEnd else { throw .malformed }
        try countBody(0)
        var out = ByteBuffer()
        guard isChunked else { return out }
        out.writeStaticString("0\r\n")
        try section.forEachField { name, value throws(HeadError) in
            guard name.first != ByteClass.colon, !Self.isOfConnection(name) else { throw .malformed }
            Self.write(name, value, to: &out)
        }
        out.writeStaticString("\r\n")
        return out
    }

    /// Translates a chunk of the body.
    mutating func data(_ piece: ByteBuffer, isEnd: Bool) throws(HeadError) -> ByteBuffer {
        guard hasHead, !hasEnded else { throw .malformed }
        hasEnded = isEnd
        try countBody(piece.readableBytes)
        guard isChunked else { return piece }
        var out = ByteBuffer()
        out.reserveCapacity(piece.readableBytes + 32)
        // An empty chunk would be the last one.
        if piece.readableBytes > 0 {
            out.writeString(String(piece.readableBytes, radix: 16))
            out.writeStaticString("\r\n")
            out.writeImmutableBuffer(piece)
            out.writeStaticString("\r\n")
        }
        if isEnd { out.writeStaticString("0\r\n\r\n") }
        return out
    }

    /// Checks that the body has the declared length (RFC 9113 section 8.1.1).
    private mutating func countBody(_ count: Int) throws(HeadError) {
        guard let left = bytesLeft else { return }
        guard left >= count, !hasEnded || left == count else { throw .malformed }
        bytesLeft = left - UInt64(count)
    }

    private mutating func head(_ section: FieldSection, isEnd: Bool) throws(HeadError) -> ByteBuffer {
        var head = PseudoFields()
        var cookies = ByteBuffer()
        var length: UInt64?
        var fields = ByteBuffer()
        try section.forEachField { name, value throws(HeadError) in
            if let pseudo = PseudoField(name) { return try head.take(pseudo, value) }
            guard !Self.isOfConnection(name) else { throw .malformed }
            if name.equals("host") {
                try head.takeHost(value)
            } else if name.equals("cookie") {
                // Crumbs of the cookie are joined (RFC 9113 section 8.2.3).
                if cookies.readableBytes > 0 { cookies.writeStaticString("; ") }
                cookies.writeBytes(value)
            } else {
                if name.equals("te"), !value.equals("trailers") { throw .malformed }
                if name.equals("content-length") {
                    guard length == nil, let number = MessageFields.number(value) else { throw .malformed }
                    length = number
                }
                Self.write(name, value, to: &fields)
            }
        }
        isToHead = head.isToHead
        isChunked = length == nil && !isEnd
        bytesLeft = length
        var out = ByteBuffer()
        try head.write(to: &out)
        out.writeBuffer(&fields)
        if cookies.readableBytes > 0 {
            out.writeStaticString("cookie: ")
            out.writeBuffer(&cookies)
            out.writeStaticString("\r\n")
        }
        if isChunked { out.writeStaticString("transfer-encoding: chunked\r\n") }
        out.writeStaticString("\r\n")
        return out
    }

    /// True for fields of an HTTP/1.1 connection (RFC 9113 section 8.2.2).
    private static func isOfConnection(_ name: UnsafeRawBufferPointer) -> Bool {
        name.equals("connection") || name.equals("transfer-encoding") || name.equals("keep-alive")
            || name.equals("proxy-connection") || name.equals("upgrade")
    }

    fileprivate static func write(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to out: inout ByteBuffer
    ) {
        out.writeBytes(name)
        out.writeStaticString(": ")
        out.writeBytes(value)
        out.writeStaticString("\r\n")
    }
}

/// The pseudo-headers of a request, and the `Host` that may replace `:authority`.
private struct PseudoFields {
    private var method: [UInt8]?
    private var scheme: [UInt8]?
    private var authority: [UInt8]?
    private var path: [UInt8]?

    var isToHead: Bool { method?.elementsEqual("HEAD".utf8) ?? false }

    mutating func take(_ field: PseudoField, _ value: UnsafeRawBufferPointer) throws(HeadError) {
        switch field {
        case .method: try Self.set(&method, value)
        case .scheme: try Self.set(&scheme, value)
        case .authority: try Self.set(&authority, value)
        case .path: try Self.set(&path, value)
        case .status: throw .malformed
        }
    }

    /// Accepts `Host` if it equals `:authority` or replaces it (RFC 9113 section 8.3.1).
    mutating func takeHost(_ value: UnsafeRawBufferPointer) throws(HeadError) {
        guard authority.map({ $0.elementsEqual(value) }) ?? true else { throw .malformed }
        authority = Array(value)
    }

    private static func set(_ field: inout [UInt8]?, _ value: UnsafeRawBufferPointer) throws(HeadError) {
        guard field == nil else { throw .malformed }
        field = Array(value)
    }

    /// Writes the request line and `Host`. CONNECT has only an authority (RFC 9113 section 8.5).
    func write(to out: inout ByteBuffer) throws(HeadError) {
        guard let method, !method.isEmpty, method.allSatisfy(ByteClass.isToken) else { throw .malformed }
        let isConnect = method.elementsEqual("CONNECT".utf8)
        guard isConnect == (scheme == nil), isConnect == (path == nil), let target = isConnect ? authority : path,
            target.allSatisfy(Self.mayStandInLine),
            isConnect ? !target.isEmpty : target.first == ByteClass.slash || target.elementsEqual("*".utf8)
        else { throw .malformed }
        out.writeBytes(method)
        out.writeInteger(ByteClass.space)
        out.writeBytes(target)
        out.writeStaticString(" HTTP/1.1\r\n")
        guard let authority else { return }
        out.writeStaticString("host: ")
        out.writeBytes(authority)
        out.writeStaticString("\r\n")
    }

    /// Returns true for a byte that does not end the target in a request line, even if it is invalid there.
    private static func mayStandInLine(_ byte: UInt8) -> Bool { byte > ByteClass.space && byte != 0x7F }
}
