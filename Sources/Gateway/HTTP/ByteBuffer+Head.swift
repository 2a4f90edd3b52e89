import NIOCore

extension ByteBuffer {
    /// Calls `body` with the readable bytes; it may throw the errors of the head parsers.
    @inline(__always)
    func withHeadBytes<R>(_ body: (UnsafeRawBufferPointer) throws(HeadError) -> R) throws(HeadError) -> R {
        let result: Result<R, HeadError> = withUnsafeReadableBytes { bytes in
            do throws(HeadError) {
                return .success(try body(bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Appends bytes, without a copy if no readable bytes are left.
    @inline(__always)
    mutating func take(_ bytes: ByteBuffer) {
        if readableBytes == 0 { self = bytes } else { writeImmutableBuffer(bytes) }
    }

    /// Returns a range of the readable bytes as text.
    func text(_ range: Range<Int>) -> String {
        withUnsafeReadableBytes { String(decoding: $0.part(range), as: UTF8.self) }
    }
}
