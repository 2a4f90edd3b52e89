import NIOCore

/// Splits incoming chunks of bytes into lines, and buffers at most one line of the maximum length.
struct LineSplitter {
    enum Line: Equatable {
        /// A line without its line break.
        case text(ByteBuffer)
        /// A line beyond the limit; its bytes were discarded.
        case tooLong
    }

    /// The maximum length of a line in bytes.
    let limit: Int
    private var rest = ByteBuffer()
    /// The number of bytes at the start of the rest that contain no line break. They are not searched again, so many
    /// small chunks cost no more than one large chunk.
    private var searched = 0
    /// True while the rest of an overlong line is skipped.
    private var isSkipping = false

    init(limit: Int) {
        self.limit = limit
    }

    /// Adds a chunk, and calls `line` with each line that it completes.
    mutating func take(_ piece: ByteBuffer, _ line: (Line) -> Void) {
        var piece = piece
        rest.writeBuffer(&piece)
        while let length = rest.readableBytesView.dropFirst(searched).firstIndex(of: 0x0A).map({ $0 - rest.readerIndex }
        ) {
            searched = 0
            let text = rest.readSlice(length: length) ?? ByteBuffer()
            rest.moveReaderIndex(forwardBy: 1)
            line(isSkipping || length > limit ? .tooLong : .text(text))
            isSkipping = false
        }
        if rest.readableBytes > limit { isSkipping = true }
        if isSkipping { rest.clear() }
        searched = rest.readableBytes
        rest.discardReadBytes()
    }

    /// Calls `line` with the text after the last line break, if there is any.
    mutating func finish(_ line: (Line) -> Void) {
        if isSkipping { line(.tooLong) } else if rest.readableBytes > 0 { line(.text(rest)) }
        rest.clear()
        searched = 0
        isSkipping = false
    }
}
