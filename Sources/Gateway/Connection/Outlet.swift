import NIOCore

/// What is written to a connection between two flushes. Heads, small pieces and chunk framing are gathered in one buffer,
/// whose memory is used again; large pieces are written as they are, without a copy.
///
/// A class, because writing and flushing may call back into the connection that owns it.
final class Outlet {
    /// Pieces up to this size are copied: that is cheaper than one more entry in a vectored write.
    private static let copyLimit = 4_096
    /// A buffer that grew beyond this is not kept.
    private static let keepLimit = 32_768

    private var gathered = ByteBuffer()
    private var wasHandedOver = false
    private var needsFlush = false

    /// Lets `body` append to what will be written next.
    @inline(__always)
    func append(_ body: (inout ByteBuffer) -> Void) {
        recycle()
        body(&gathered)
        needsFlush = true
    }

    /// Appends bytes, in order with what was appended before.
    @inline(__always)
    func append(_ piece: ByteBuffer, to context: ChannelHandlerContext) {
        recycle()
        needsFlush = true
        guard piece.readableBytes > Self.copyLimit else {
            gathered.writeImmutableBuffer(piece)
            return
        }
        handOver(to: context)
        context.write(NIOAny(piece), promise: nil)
    }

    /// Appends bytes as one chunk (RFC 9112 section 7.1).
    func appendChunk(_ piece: ByteBuffer, to context: ChannelHandlerContext) {
        append { out in
            out.writeString(String(piece.readableBytes, radix: 16))
            out.writeStaticString("\r\n")
        }
        append(piece, to: context)
        append { $0.writeStaticString("\r\n") }
    }

    /// Appends the last chunk, with trailer fields, which are whole lines.
    func appendLastChunk(trailers: ByteBuffer) {
        append { out in
            out.writeStaticString("0\r\n")
            out.writeImmutableBuffer(trailers)
            out.writeStaticString("\r\n")
        }
    }

    /// Sends all that was appended.
    @inline(__always)
    func flush(to context: ChannelHandlerContext) {
        guard needsFlush else { return }
        needsFlush = false
        handOver(to: context)
        context.flush()
    }

    @inline(__always)
    private func handOver(to context: ChannelHandlerContext) {
        guard !wasHandedOver, gathered.readableBytes > 0 else { return }
        wasHandedOver = true
        context.write(NIOAny(gathered), promise: nil)
    }

    /// The buffer may still be on its way out: then this takes a new one, else the same again.
    @inline(__always)
    private func recycle() {
        guard wasHandedOver else { return }
        wasHandedOver = false
        if gathered.capacity > Self.keepLimit { gathered = ByteBuffer() }
        gathered.clear(minimumCapacity: 512)
    }
}
