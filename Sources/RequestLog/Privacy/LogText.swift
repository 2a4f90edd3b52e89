import AuthKeys

/// Rewrites texts of requests for the log: without secrets, in printable ASCII, and bounded.
///
/// A secret is a part with the form of a token, valid or not; any run of as many letters and digits as a token has,
/// unless it is hexadecimal; and a text that begins with the prefix of imported tokens. Its last four characters stay.
struct LogText {
    /// Percent-encoding is undone so many times to find a secret behind it. A text that is encoded more often is
    /// omitted.
    private static let decodings = 5
    /// The least number of characters after the prefix of an imported token.
    private static let importedLength = 8
    /// The least number of characters of a token that the end of a cut text hides.
    private static let cutLength = 12

    /// The prefixes of imported tokens.
    let prefixes: [[UInt8]]

    /// Appends a text to `out`, and returns the flags that the line gets.
    ///
    /// If percent-encoding hides a secret, the decoded text is written. Bytes outside printable ASCII are
    /// percent-encoded.
    /// - Parameters:
    ///   - isCut: true if the end of the text is missing.
    ///   - limit: the maximum number of bytes to append.
    func append(
        _ text: UnsafeRawBufferPointer, isCut: Bool = false, limit: Int, to out: inout [UInt8]
    ) -> RequestFlags {
        var flags: RequestFlags = []
        let end = out.count + limit
        func write(_ text: UnsafeRawBufferPointer) {
            var start = 0
            while let secret = firstSecret(in: text, from: start, isCut: isCut) {
                flags.insert(.redacted)
                put(UnsafeRawBufferPointer(rebasing: text[start..<secret.lowerBound]))
                for _ in 0..<3 { put(UInt8(ascii: ".")) }
                put(UnsafeRawBufferPointer(rebasing: text[(secret.upperBound - 4)..<secret.upperBound]))
                start = secret.upperBound
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
                out.append(Self.hexDigit(byte >> 4))
                out.append(Self.hexDigit(byte & 0xF))
            }
        }
        switch Self.decoded(text) {
        case .plain: write(text)
        case .decoded(let decoded):
            decoded.withUnsafeBytes { decoded in
                write(firstSecret(in: decoded, from: 0, isCut: isCut) == nil ? text : decoded)
            }
        case .nested:
            flags.insert(.redacted)
            for _ in 0..<3 { put(UInt8(ascii: ".")) }
        }
        return flags
    }

    /// Returns the first secret without what identifies its kind: `kw_` or another prefix.
    private func firstSecret(in text: UnsafeRawBufferPointer, from start: Int, isCut: Bool) -> Range<Int>? {
        var position = start
        while position < text.count {
            if let imported = importedSecret(in: text, at: position) { return imported }
            guard Self.isBase62(text[position]) else {
                position += 1
                continue
            }
            var end = position + 1
            while end < text.count, Self.isBase62(text[end]) {
                if let imported = importedSecret(in: text, at: end) { return imported }
                end += 1
            }
            let run = position..<end
            let follows = position > 0 && text[position - 1] == UInt8(ascii: "_")
            if run.count >= TokenFormat.tailDigits, follows || !Self.isHexadecimal(text[run]) { return run }
            if isCut, end == text.count, follows, run.count >= Self.cutLength { return run }
            position = end
        }
        return nil
    }

    /// Returns the part after the prefix of an imported token that begins at a position.
    private func importedSecret(in text: UnsafeRawBufferPointer, at position: Int) -> Range<Int>? {
        guard !prefixes.isEmpty, position == 0 || !Self.isTokenByte(text[position - 1]) else { return nil }
        for prefix in prefixes where text[position...].starts(with: prefix) {
            let begin = position + prefix.count
            var end = begin
            while end < text.count, Self.isTokenByte(text[end]) { end += 1 }
            if end - begin >= Self.importedLength { return begin..<end }
        }
        return nil
    }

    private enum Decoding {
        /// Nothing is encoded.
        case plain
        case decoded([UInt8])
        /// More levels than `decodings`.
        case nested
    }

    /// Undoes percent-encoding as often as there is any.
    private static func decoded(_ text: UnsafeRawBufferPointer) -> Decoding {
        guard text.contains(UInt8(ascii: "%")) else { return .plain }
        var decoded = Array(text)
        for level in 0...decodings {
            guard let next = decodeOnce(decoded) else { return level == 0 ? .plain : .decoded(decoded) }
            decoded = next
        }
        return .nested
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

    /// True for the characters of tokens in general (RFC 6750 section 2.1, `b64token`, without `/` and `=`).
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        isBase62(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: "~") || byte == UInt8(ascii: "+")
    }

    /// True for digests and identifiers in hexadecimal, which are long and no secrets.
    private static func isHexadecimal(_ run: Slice<UnsafeRawBufferPointer>) -> Bool {
        run.allSatisfy { Hex.value(of: $0) != nil }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x41 + value - 10 }
}
