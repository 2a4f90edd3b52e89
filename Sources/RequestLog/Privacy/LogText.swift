import AuthKeys

/// Rewrites texts of requests for the log: without secrets, in printable ASCII, and bounded.
enum LogText {
    /// Percent-encoding is undone so many times to find a token behind it.
    private static let decodings = 3

    /// Appends a text to `out`, and returns the flags that the line gets.
    ///
    /// Whatever has the form of a token, valid or not, is written as `prefix_...last4`, as elsewhere. If
    /// percent-encoding hides it, the decoded text is written. Bytes outside printable ASCII are percent-encoded.
    /// - Parameter limit: the maximum number of bytes to append.
    static func append(_ text: UnsafeRawBufferPointer, limit: Int, to out: inout [UInt8]) -> RequestFlags {
        var flags: RequestFlags = []
        let end = out.count + limit
        func write(_ text: UnsafeRawBufferPointer) {
            var start = 0
            while let token = firstToken(in: text, from: start) {
                flags.insert(.redacted)
                put(UnsafeRawBufferPointer(rebasing: text[start...token.separator]))
                for _ in 0..<3 { put(UInt8(ascii: ".")) }
                put(UnsafeRawBufferPointer(rebasing: text[(token.end - 4)..<token.end]))
                start = token.end
            }
            put(UnsafeRawBufferPointer(rebasing: text[start...]))
        }
        func put(_ text: UnsafeRawBufferPointer) { for byte in text { put(byte) } }
        func put(_ byte: UInt8) {
            if (0x21...0x7E).contains(byte) {
                guard out.count < end else { return flags.formUnion(.cut) }
                out.append(byte)
            } else {
                guard out.count + 3 <= end else { return flags.formUnion(.cut) }
                out.append(UInt8(ascii: "%"))
                out.append(hexDigit(byte >> 4))
                out.append(hexDigit(byte & 0xF))
            }
        }
        if let decoded = hidingToken(text) {
            decoded.withUnsafeBytes { write($0) }
        } else {
            write(text)
        }
        return flags
    }

    /// True if a text has a part with the form of a token.
    static func holdsToken(_ text: UnsafeRawBufferPointer) -> Bool { firstToken(in: text, from: 0) != nil }

    /// Returns the first part that has the form of a token: an underscore, and at least 49 characters of base62.
    /// The checksum is ignored, because a mistyped token resembles a secret.
    private static func firstToken(
        in text: UnsafeRawBufferPointer, from start: Int
    ) -> (separator: Int, end: Int)? {
        var position = start
        while position + TokenFormat.tailDigits < text.count {
            guard text[position] == UInt8(ascii: "_") else {
                position += 1
                continue
            }
            var end = position + 1
            while end < text.count, isBase62(text[end]) { end += 1 }
            if end - position > TokenFormat.tailDigits { return (position, end) }
            position = end
        }
        return nil
    }

    /// Returns the decoded text if percent-encoding hides a token in it.
    private static func hidingToken(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        guard text.contains(UInt8(ascii: "%")) else { return nil }
        var decoded = Array(text)
        for _ in 0..<decodings {
            guard let next = decodeOnce(decoded) else { return nil }
            decoded = next
            if decoded.withUnsafeBytes({ holdsToken($0) }) { return decoded }
        }
        return nil
    }

    /// Undoes percent-encoding once; returns nil if there is none.
    private static func decodeOnce(_ text: [UInt8]) -> [UInt8]? {
        var decoded: [UInt8] = []
        var position = 0
        while position < text.count {
            if text[position] == UInt8(ascii: "%"), position + 2 < text.count,
                let high = Hex.value(of: text[position + 1]), let low = Hex.value(of: text[position + 2])
            {
                decoded.append(UInt8(high) << 4 | UInt8(low))
                position += 3
            } else {
                decoded.append(text[position])
                position += 1
            }
        }
        return decoded.count == text.count ? nil : decoded
    }

    private static func isBase62(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 + value - 10 }
}
