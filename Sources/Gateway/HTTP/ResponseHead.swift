import NIOCore

/// A response's head, parsed once and strictly: the ranges of its parts, and their meaning to a gateway.
struct ResponseHead {
    private(set) var fields = FieldLines()
    private(set) var message = MessageFields()
    private(set) var status = 0
    /// Status code and reason phrase, as the upstream wrote them.
    private(set) var statusText = 0..<0
    private(set) var framing = Framing.none
    private var version = HTTPVersion.http11

    private var namesWebSocket = false

    /// True if more heads follow for the same request (RFC 9110 section 15.2).
    var isInterim: Bool { (100..<200).contains(status) && !isUpgrade }

    /// True if the connection continues as a WebSocket.
    var isUpgrade: Bool { status == 101 }

    /// True if the upstream's connection can carry another request.
    var persists: Bool { !isUpgrade && framing != .untilClose && message.persists(version) }

    /// True if the response is an event stream (HTML standard, section 9.2).
    func isEventStream(in bytes: ByteBuffer) -> Bool {
        bytes.withUnsafeReadableBytes { bytes in
            fields.lines.contains { field in
                field.name.count == 12 && bytes.part(field.name).equals("content-type")
                    && bytes.part(field.value).begins(with: "text/event-stream")
            }
        }
    }

    /// Parses a head: all of its bytes, the empty line included. A response to HEAD has no body, regardless of its
    /// fields. The upstream may only switch to the protocol that the request asked for.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, toHead: Bool, mayUpgrade: Bool, limits: HeadLimits
    ) throws(HeadError) {
        message = MessageFields()
        namesWebSocket = false
        let fieldsStart = try readStatusLine(bytes)
        try fields.read(bytes, from: fieldsStart, limit: limits.fieldCount)
        for field in fields.lines {
            switch field.kind {
            case .contentLength, .transferEncoding, .connection: try message.take(field, in: bytes)
            case .upgrade: namesWebSocket = namesWebSocket || bytes.lists("websocket", in: field.value)
            default: break
            }
        }
        guard !isUpgrade || mayUpgrade && namesWebSocket && message.saysUpgrade else { throw .malformed }
        framing = try bodyFraming(toHead: toHead)
    }

    /// The framing by the rules of RFC 9112 section 6.3.
    private func bodyFraming(toHead: Bool) throws(HeadError) -> Framing {
        guard !message.isChunked || message.length == nil && version == .http11 else { throw .malformed }
        if toHead || status < 200 || status == 204 || status == 304 { return .none }
        if message.isChunked { return .chunked }
        return message.length.map { $0 == 0 ? .none : .length($0) } ?? .untilClose
    }

    /// Parses `HTTP-version SP status-code [SP reason-phrase] CRLF` (RFC 9112 section 4). Servers often omit the second
    /// space.
    private mutating func readStatusLine(_ bytes: UnsafeRawBufferPointer) throws(HeadError) -> Int {
        guard bytes.count > 13 else { throw .malformed }
        version = try HTTPVersion(bytes.part(0..<8))
        guard bytes[8] == ByteClass.space, (0x31...0x39).contains(bytes[9]), ByteClass.isDigit(bytes[10]),
            ByteClass.isDigit(bytes[11])
        else { throw .malformed }
        status = Int(bytes[9] - 0x30) * 100 + Int(bytes[10] - 0x30) * 10 + Int(bytes[11] - 0x30)
        var position = 12
        guard bytes[position] == ByteClass.space || bytes[position] == ByteClass.carriageReturn else {
            throw .malformed
        }
        while position < bytes.count, ByteClass.isFieldContent(bytes[position]) { position += 1 }
        statusText = 9..<position
        guard position + 1 < bytes.count, bytes[position] == ByteClass.carriageReturn,
            bytes[position + 1] == ByteClass.lineFeed
        else { throw .malformed }
        return position + 2
    }
}
