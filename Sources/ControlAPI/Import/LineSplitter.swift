import NIOCore

/// Cuts bytes that come in pieces into lines, and keeps no more of them than a line may be long.
struct LineSplitter {
    enum Line: Equatable {
        /// Without its line break.
        case text(ByteBuffer)
        /// Longer than the limit; what was too much is gone.
        case tooLong
    }

    /// Bytes of a line.
    let limit: Int
    private var rest = ByteBuffer()
    /// Bytes at the start of the rest that hold no line break: they are not looked at again, however small the pieces are.
    private var searched = 0
    /// Within a line that is too long already.
    private var isSkipping = false

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes a piece in, and hands over the lines that it ends.
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

    /// Hands over what stands behind the last line break, if anything does.
    mutating func finish(_ line: (Line) -> Void) {
        if isSkipping { line(.tooLong) } else if rest.readableBytes > 0 { line(.text(rest)) }
        rest.clear()
        searched = 0
        isSkipping = false
    }
}
