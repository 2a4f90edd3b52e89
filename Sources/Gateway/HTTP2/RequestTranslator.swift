import NIOCore
import NIOHPACK

/// Writes an HTTP/2 request as the HTTP/1.1 request that it is (RFC 9113 section 8), for the one reader that all requests pass.
///
/// What HTTP/1.1 could not carry as it is meant is refused before it is written: a name, a value or a pseudo-field with a byte
/// that would end or split a line there.
struct RequestTranslator {
    /// What is no request.
    struct Malformed: Error {}

    private var isChunked = false
    private var hasHead = false
    private(set) var hasEnded = false
    /// Whether the request was HEAD, so that the response has no body.
    private(set) var isToHead = false

    /// Takes a field section: the head, or the trailers.
    mutating func fields(_ headers: HPACKHeaders, isEnd: Bool) throws(Malformed) -> ByteBuffer {
        guard !hasEnded else { throw Malformed() }
        hasEnded = isEnd
        guard hasHead else {
            hasHead = true
            return try head(headers, isEnd: isEnd)
        }
        guard isEnd else { throw Malformed() }
        var out = ByteBuffer()
        guard isChunked else { return out }
        out.writeStaticString("0\r\n")
        for field in headers { try Self.write(field.name, field.value, to: &out) }
        out.writeStaticString("\r\n")
        return out
    }

    /// Takes a piece of the body.
    mutating func data(_ piece: ByteBuffer, isEnd: Bool) throws(Malformed) -> ByteBuffer {
        guard hasHead, !hasEnded else { throw Malformed() }
        hasEnded = isEnd
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

    private mutating func head(_ headers: HPACKHeaders, isEnd: Bool) throws(Malformed) -> ByteBuffer {
        var method: String?
        var path: String?
        var authority: String?
        var cookies: [String] = []
        var hasLength = false
        var fields = ByteBuffer()
        for (name, value, _) in headers {
            switch name {
            case ":method": method = value
            case ":path": path = value
            case ":authority": authority = value
            case ":scheme": break
            // RFC 9113 section 8.3.1: it must say what the pseudo-field says.
            case "host":
                guard authority == nil || authority == value else { throw Malformed() }
                authority = value
            // Section 8.2.3: crumbs are put together again.
            case "cookie": cookies.append(value)
            case "connection", "transfer-encoding", "keep-alive", "proxy-connection", "upgrade": throw Malformed()
            default:
                if name == "content-length" { hasLength = true }
                try Self.write(name, value, to: &fields)
            }
        }
        if !cookies.isEmpty { try Self.write("cookie", cookies.joined(separator: "; "), to: &fields) }
        isToHead = method == "HEAD"
        isChunked = !hasLength && !isEnd
        guard let method, Self.isToken(method), let target = method == "CONNECT" ? authority : path,
            target.utf8.allSatisfy(ByteClass.isTarget),
            method == "CONNECT" ? !target.isEmpty : target.utf8.first == ByteClass.slash || target == "*"
        else { throw Malformed() }
        var out = ByteBuffer()
        out.writeString("\(method) \(target) HTTP/1.1\r\n")
        if let authority { try Self.write("host", authority, to: &out) }
        out.writeBuffer(&fields)
        if isChunked { out.writeStaticString("transfer-encoding: chunked\r\n") }
        out.writeStaticString("\r\n")
        return out
    }

    /// RFC 9113 section 8.2.1: lower-case names, values without control characters.
    private static func write(_ name: String, _ value: String, to out: inout ByteBuffer) throws(Malformed) {
        guard isToken(name), name.utf8.allSatisfy({ !(0x41...0x5A).contains($0) }),
            value.utf8.allSatisfy(ByteClass.isFieldContent)
        else { throw Malformed() }
        out.writeString(name)
        out.writeStaticString(": ")
        out.writeString(value)
        out.writeStaticString("\r\n")
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(ByteClass.isToken)
    }
}
