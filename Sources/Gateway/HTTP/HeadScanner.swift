import Glibc

/// A scanner for the end of a message head in bytes that arrive in chunks. It never scans a byte twice.
struct HeadScanner {
    private var resume = 0
    private var sawLine = false

    /// The length of the head in bytes, its empty line included; nil if the head is incomplete. Every line must end in
    /// CRLF. A bare line feed, which RFC 9112 section 2.2 allows a recipient to accept, is refused.
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
