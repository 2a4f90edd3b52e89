import AuthKeys
import NIOCore

/// A decoder that extracts a body from its framing, chunk by chunk (RFC 9112 sections 6 and 7).
///
/// Trailers are parsed as strictly as header fields; those that may be forwarded are kept (`TrailerRule`). Chunk
/// extensions are dropped.
struct BodyDecoder {
    enum Step {
        case piece(ByteBuffer)
        case end
        case needsMore
    }

    private enum State: Equatable {
        case length(UInt64)
        case untilClose
        case chunkSize
        case chunk(UInt64)
        case chunkEnd
        case trailers(read: Int)
        case ended
    }

    /// The maximum length of a chunk-size line with its extension, and of all trailers.
    private static let sizeLineLimit = 256
    private static let trailerLimit = 8_192

    private var state: State
    /// The trailer fields that may be passed on, as complete lines. Valid after `end`.
    private(set) var trailers = ByteBuffer()

    init(_ framing: Framing) {
        switch framing {
        case .none: state = .ended
        case .length(let length): state = length == 0 ? .ended : .length(length)
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
    }

    /// True if the whole body was decoded.
    var hasEnded: Bool { state == .ended }

    /// True if the end of the connection, at this point, is the end of the body.
    var endsWithConnection: Bool { state == .untilClose || state == .ended }

    /// Removes the next chunk from the front of the bytes. After `end`, the remaining bytes belong to the next message.
    mutating func next(_ input: inout ByteBuffer) throws(HeadError) -> Step {
        while true {
            switch state {
            case .ended:
                return .end
            case .untilClose:
                guard let piece = input.readSlice(length: input.readableBytes), piece.readableBytes > 0 else {
                    return .needsMore
                }
                return .piece(piece)
            case .length(let left):
                guard let (piece, rest) = Self.take(left, from: &input) else { return .needsMore }
                state = rest == 0 ? .ended : .length(rest)
                return .piece(piece)
            case .chunk(let left):
                guard let (piece, rest) = Self.take(left, from: &input) else { return .needsMore }
                state = rest == 0 ? .chunkEnd : .chunk(rest)
                return .piece(piece)
            case .chunkSize:
                guard let line = try Self.line(&input, limit: Self.sizeLineLimit) else { return .needsMore }
                let size = try Self.chunkSize(line)
                state = size == 0 ? .trailers(read: 0) : .chunk(size)
            case .chunkEnd:
                guard let line = try Self.line(&input, limit: 2) else { return .needsMore }
                guard line.readableBytes == 2 else { throw .malformed }
                state = .chunkSize
            case .trailers(let read):
                guard let line = try Self.line(&input, limit: Self.trailerLimit - read) else { return .needsMore }
                if line.readableBytes == 2 {
                    state = .ended
                } else {
                    try takeTrailer(line)
                    state = .trailers(read: read + line.readableBytes)
                }
            }
        }
    }

    @inline(__always)
    private static func take(_ left: UInt64, from input: inout ByteBuffer) -> (ByteBuffer, UInt64)? {
        let count = Int(min(left, UInt64(input.readableBytes)))
        guard count > 0, let piece = input.readSlice(length: count) else { return nil }
        return (piece, left - UInt64(count))
    }

    /// Removes the next line, its CRLF included; nil if the line is incomplete.
    private static func line(_ input: inout ByteBuffer, limit: Int) throws(HeadError) -> ByteBuffer? {
        let view = input.readableBytesView.prefix(max(0, limit))
        guard let feed = view.firstIndex(of: ByteClass.lineFeed) else {
            guard input.readableBytes < limit else { throw .malformed }
            return nil
        }
        let length = feed - view.startIndex + 1
        guard length >= 2, view[feed - 1] == ByteClass.carriageReturn else { throw .malformed }
        return input.readSlice(length: length)
    }

    /// Parses `1*HEXDIG [chunk-ext]`: no sign, no prefix, no whitespace before the extension.
    private static func chunkSize(_ line: ByteBuffer) throws(HeadError) -> UInt64 {
        var size: UInt64 = 0
        var digits = 0
        let text = line.readableBytesView.dropLast(2)
        for byte in text {
            guard let digit = Hex.value(of: byte) else {
                guard byte == 0x3B, digits > 0 else { throw .malformed }
                try checkExtensions(text.dropFirst(digits))
                return size
            }
            digits += 1
            guard digits <= 15 else { throw .malformed }
            size = size << 4 | UInt64(digit)
        }
        guard digits > 0 else { throw .malformed }
        return size
    }

    /// Checks `*( ";" token [ "=" ( token / quoted-string ) ] )` (RFC 9112 section 7.1.1), without whitespace.
    private static func checkExtensions(_ text: ByteBufferView) throws(HeadError) {
        var rest = text
        func skipToken() throws(HeadError) {
            let length = rest.prefix(while: ByteClass.isToken).count
            guard length > 0 else { throw .malformed }
            rest = rest.dropFirst(length)
        }
        func skipQuoted() throws(HeadError) {
            var isEscaped = false
            for (offset, byte) in rest.enumerated().dropFirst() {
                guard ByteClass.isFieldContent(byte) else { throw .malformed }
                if byte == 0x22 && !isEscaped {
                    rest = rest.dropFirst(offset + 1)
                    return
                }
                isEscaped = byte == 0x5C && !isEscaped
            }
            throw .malformed
        }
        while let first = rest.first {
            guard first == 0x3B else { throw .malformed }
            rest = rest.dropFirst()
            try skipToken()
            guard rest.first == 0x3D else { continue }
            rest = rest.dropFirst()
            if rest.first == 0x22 { try skipQuoted() } else { try skipToken() }
        }
    }

    /// Parses a trailer line. Refuses fields that frame or address a message (RFC 9110 section 6.5.1).
    private mutating func takeTrailer(_ line: ByteBuffer) throws(HeadError) {
        var fields = FieldLines()
        var section = line
        section.writeStaticString("\r\n")
        try section.withHeadBytes { bytes throws(HeadError) in
            try fields.read(bytes, from: 0, limit: 1)
            for field in fields.lines {
                guard field.kind.canBeNamedInConnection else { throw .malformed }
                if TrailerRule.passes(field, in: bytes) { trailers.writeImmutableBuffer(line) }
            }
        }
    }
}
