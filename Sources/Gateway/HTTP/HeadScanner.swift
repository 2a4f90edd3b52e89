import Glibc

/// Finds the end of a message head in bytes that come in pieces. No byte is looked at twice for want of the next ones.
struct HeadScanner {
    private var resume = 0
    private var sawLine = false

    /// The number of bytes of the head, its empty line included; nil if that is not there yet. Every line must end in CRLF: a
    /// bare line feed, which RFC 9112 section 2.2 lets a recipient take, is refused.
    mutating func end(of bytes: UnsafeRawBufferPointer, limits: HeadLimits) throws(HeadError) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        while resume < bytes.count, let found = memchr(base + resume, Int32(ByteClass.lineFeed), bytes.count - resume) {
            let feed = UnsafeRawPointer(found) - base
            guard feed > 0, bytes[feed - 1] == ByteClass.carriageReturn else { throw .malformed }
            sawLine = true
            if feed >= 3, bytes[feed - 2] == ByteClass.lineFeed {
                guard feed < limits.headBytes else { throw .tooLarge }
                self = HeadScanner()
                return feed + 1
            }
            resume = feed + 1
        }
        resume = bytes.count
        guard bytes.count < limits.headBytes else { throw sawLine ? .tooLarge : .targetTooLong }
        return nil
    }
}
