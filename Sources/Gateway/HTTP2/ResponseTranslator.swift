import NIOCore

/// A translator of the gateway's HTTP/1.1 responses to HTTP/2 (RFC 9113 section 8).
struct ResponseTranslator {
    enum Part {
        /// A head with its status, or trailers.
        case head(FieldSection, status: Int?, isEnd: Bool)
        case data(ByteBuffer, isEnd: Bool)
    }

    private var input = ByteBuffer()
    private var scanner = HeadScanner()
    private var head = ResponseHead()
    private var body: BodyDecoder?
    private(set) var hasEnded = false

    private static let limits = HeadLimits(headBytes: .max, targetBytes: .max, fieldCount: .max)

    mutating func append(_ bytes: ByteBuffer) {
        input.take(bytes)
    }

    /// Returns the next part of the appended bytes; nil if it is incomplete.
    mutating func next(toHead: Bool) throws(HeadError) -> Part? {
        guard !hasEnded else { return nil }
        if body == nil { return try readHead(toHead: toHead) }
        switch try body?.next(&input) {
        case .piece(let piece):
            hasEnded = body?.hasEnded ?? false
            return .data(piece, isEnd: hasEnded)
        case .end:
            hasEnded = true
            let trailers = body?.trailers ?? ByteBuffer()
            guard trailers.readableBytes > 0 else { return .data(ByteBuffer(), isEnd: true) }
            return .head(try Self.fields(trailers), status: nil, isEnd: true)
        case .needsMore, nil: return nil
        }
    }

    private mutating func readHead(toHead: Bool) throws(HeadError) -> Part? {
        let end = try input.withHeadBytes { bytes throws(HeadError) in try scanner.end(of: bytes, limits: Self.limits) }
        guard let end, let bytes = input.readSlice(length: end) else { return nil }
        var section = FieldSection()
        try bytes.withHeadBytes { bytes throws(HeadError) in
            try head.read(bytes, toHead: toHead, mayUpgrade: false, limits: Self.limits)
            section.append(":status".utf8, String(head.status).utf8)
            Self.add(head.fields, in: bytes, to: &section)
        }
        guard !head.isInterim else { return .head(section, status: head.status, isEnd: false) }
        let decoder = BodyDecoder(head.framing)
        body = decoder
        hasEnded = decoder.hasEnded
        return .head(section, status: head.status, isEnd: hasEnded)
    }

    private static func fields(_ lines: ByteBuffer) throws(HeadError) -> FieldSection {
        var lines = lines
        lines.writeStaticString("\r\n")
        var section = FieldSection()
        try lines.withHeadBytes { bytes throws(HeadError) in
            var fields = FieldLines()
            try fields.read(bytes, from: 0, limit: .max)
            add(fields, in: bytes, to: &section)
        }
        return section
    }

    /// Appends the fields without those of an HTTP/1.1 connection (RFC 9113 section 8.2.2).
    private static func add(_ fields: FieldLines, in bytes: UnsafeRawBufferPointer, to section: inout FieldSection) {
        for field in fields.lines {
            switch field.kind {
            case .connection, .hopByHop, .te, .upgrade, .transferEncoding: break
            default:
                section.append(bytes.part(field.name).lazy.map(ByteClass.lowercased), bytes.part(field.value))
            }
        }
    }
}
