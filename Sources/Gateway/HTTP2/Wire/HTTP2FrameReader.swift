import NIOCore

/// A parser that splits a client's bytes into frames. Field sections are collected; everything else passes through
/// without a copy.
///
/// It buffers at most one frame header or SETTINGS frame, and one field block. The block's size and its number of
/// CONTINUATION frames are limited.
struct HTTP2FrameReader {
    enum Step {
        /// The connection preface (RFC 9113 section 3.4), or the rest of a payload: bytes to pass on.
        case rest(ByteBuffer)
        /// The start of a frame: its header, and the received part of its payload.
        case frame(HTTP2FrameHeader, ByteBuffer)
        /// A frame of a field block that is not complete yet.
        case continued(HTTP2FrameHeader)
        /// The block of a HEADERS frame and its CONTINUATION frames. The header is the HEADERS frame's.
        case section(HTTP2FrameHeader, ByteBuffer)
    }

    private enum State {
        case preface
        case header
        case payload(left: Int)
    }

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// CONTINUATION frames beyond those that a block of maximum size needs. Real clients fill their frames.
    private static let spareContinuations = 8

    private let blockLimit: Int
    private var state = State.preface
    private var input = ByteBuffer()
    /// The HEADERS frame whose block is incomplete.
    private var open: HTTP2FrameHeader?
    private var block = ByteBuffer()
    private var continuations = 0

    /// - Parameter blockLimit: the maximum size of a field block in bytes, as sent.
    init(blockLimit: Int) {
        self.blockLimit = blockLimit
    }

    /// True if the end of a field block, or of a frame that is read as a whole, has not been received.
    var isIncomplete: Bool { open != nil || input.readableBytes > 0 }

    mutating func append(_ bytes: ByteBuffer) {
        input.take(bytes)
    }

    /// Frees the memory of consumed bytes. Call it when `next` returns nil.
    mutating func discardRead() {
        if input.readableBytes == 0 { input = ByteBuffer() } else { input.discardReadBytes() }
    }

    /// Drops all unread bytes.
    mutating func clear() {
        input = ByteBuffer()
        block = ByteBuffer()
    }

    /// Returns the next step; nil if it needs more bytes.
    mutating func next() throws(HTTP2ConnectionError) -> Step? {
        switch state {
        case .preface: return try readPreface()
        case .header: return try readFrame()
        case .payload(let left):
            let count = min(left, input.readableBytes)
            guard count > 0, let bytes = input.readSlice(length: count) else { return nil }
            state = count == left ? .header : .payload(left: left - count)
            return .rest(bytes)
        }
    }

    private mutating func readPreface() throws(HTTP2ConnectionError) -> Step? {
        let count = min(Self.preface.count, input.readableBytes)
        guard input.readableBytesView.prefix(count).elementsEqual(Self.preface.prefix(count)) else {
            throw .protocolError
        }
        guard count == Self.preface.count, let bytes = input.readSlice(length: count) else { return nil }
        state = .header
        return .rest(bytes)
    }

    private mutating func readFrame() throws(HTTP2ConnectionError) -> Step? {
        guard let header = HTTP2FrameHeader(peeking: input) else { return nil }
        guard header.length <= HTTP2FrameHeader.payloadLimit else { throw .frameSizeError }
        if open != nil || header.kind == .continuation || header.kind == .headers {
            return try readFragment(header)
        }
        let size = HTTP2FrameHeader.size + header.length
        // SETTINGS frames are read whole, because `HTTP2Wire` parses them too.
        guard header.kind != .settings || input.readableBytes >= size else { return nil }
        let count = min(size, input.readableBytes)
        guard let bytes = input.readSlice(length: count) else { return nil }
        state = count == size ? .header : .payload(left: size - count)
        return .frame(header, bytes)
    }

    /// Reads a frame of a field block. No other frame may come between its frames (RFC 9113 section 6.10).
    private mutating func readFragment(_ header: HTTP2FrameHeader) throws(HTTP2ConnectionError) -> Step? {
        if let open {
            guard header.kind == .continuation, header.stream == open.stream else { throw .protocolError }
        } else {
            guard header.kind == .headers, header.stream != 0 else { throw .protocolError }
        }
        guard input.readableBytes >= HTTP2FrameHeader.size + header.length else { return nil }
        input.moveReaderIndex(forwardBy: HTTP2FrameHeader.size)
        guard var fragment = input.readSlice(length: header.length) else { return nil }
        if header.kind == .headers {
            try Self.strip(&fragment, header.flags)
        } else {
            continuations += 1
            guard continuations <= blockLimit / HTTP2FrameHeader.payloadLimit + Self.spareContinuations else {
                throw .enhanceYourCalm
            }
        }
        guard block.readableBytes + fragment.readableBytes <= blockLimit else { throw .enhanceYourCalm }
        block.writeImmutableBuffer(fragment)
        guard header.flags.contains(.endHeaders) else {
            open = open ?? header
            return .continued(header)
        }
        defer {
            open = nil
            block = ByteBuffer()
            continuations = 0
        }
        return .section(open ?? header, block)
    }

    /// Removes padding and priority (RFC 9113 section 6.2), which the gateway ignores.
    private static func strip(
        _ fragment: inout ByteBuffer, _ flags: HTTP2FrameHeader.Flags
    ) throws(HTTP2ConnectionError) {
        if flags.contains(.padded) {
            guard let padding = fragment.readInteger(as: UInt8.self) else { throw .frameSizeError }
            guard Int(padding) <= fragment.readableBytes else { throw .protocolError }
            fragment.moveWriterIndex(to: fragment.writerIndex - Int(padding))
        }
        if flags.contains(.priority) {
            guard fragment.readableBytes >= 5 else { throw .frameSizeError }
            fragment.moveReaderIndex(forwardBy: 5)
        }
    }
}
