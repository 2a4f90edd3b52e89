/// Opaque text for callers to send back: base64url of bytes and a checksum, so that truncated or edited text is
/// refused.
enum CheckedText {
    static func encode(_ bytes: [UInt8]) -> String {
        Base64URL.encode(bytes + checksum(bytes))
    }

    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        guard text.utf8.count <= 4_096, let bytes = Base64URL.decode(Array(text.utf8)), bytes.count >= 4 else {
            return nil
        }
        let body = Array(bytes.dropLast(4))
        return checksum(body) == Array(bytes.suffix(4)) ? body : nil
    }

    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        bigEndian(bytes.withUnsafeBytes { CRC32.checksum($0) })
    }
}

/// Returns the bytes of a number, the most significant first.
func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
}
