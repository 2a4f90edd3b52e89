import NIOCore

/// The output of a connection between two flushes. Heads, small chunks and chunk framing are gathered in one buffer,
/// whose memory is reused. Large chunks are written without a copy.
///
/// A class, because writing and flushing may call back into the connection that owns it.
final class Outlet {
    /// Chunks up to this size are copied: a copy is cheaper than one more entry in a vectored write.
    private static let copyLimit = 4_096
    /// A buffer with a greater capacity is not reused.
    private static let keepLimit = 32_768

    private var gathered = ByteBuffer()
    private var wasHandedOver = false
    private var needsFlush = false

    /// Calls `body` to append to the next write.
    @inline(__always)
    func append(_ body: (inout ByteBuffer) -> Void) {
        recycle()
        body(&gathered)
        needsFlush = true
    }

    /// Appends bytes after those appended before.
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

    /// Appends the last chunk, with trailer fields given as complete lines.
    func appendLastChunk(trailers: ByteBuffer) {
        append { out in
            out.writeStaticString("0\r\n")
            out.writeImmutableBuffer(trailers)
            out.writeStaticString("\r\n")
        }
    }

    /// Sends all appended bytes.
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

    /// Prepares the buffer for appending. NIO may still hold the bytes of the last write; the buffer then gets new
    /// memory, otherwise it reuses its own.
    @inline(__always)
    private func recycle() {
        guard wasHandedOver else { return }
        wasHandedOver = false
        if gathered.capacity > Self.keepLimit { gathered = ByteBuffer() }
        gathered.clear(minimumCapacity: 512)
    }
}
