import AuthKeys

/// Encodes free text as a header field value. Bytes are percent-encoded (RFC 3986 section 2.1) if they are neither
/// visible ASCII nor a space, and so is `%`. A space at either end is encoded too, because a recipient would strip it.
public enum IdentityText {
    /// Returns true if a text needs no encoding.
    public static func isPlain(_ text: UnsafeRawBufferPointer) -> Bool {
        text.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x25 }
    }

    /// Calls `out` with each byte of the field's value.
    public static func encode(_ text: UnsafeRawBufferPointer, to out: (UInt8) -> Void) {
        for (index, byte) in text.enumerated() {
            let isInner = index > 0 && index < text.count - 1
            if byte > 0x20 && byte < 0x7F && byte != 0x25 || byte == 0x20 && isInner {
                out(byte)
            } else {
                out(0x25)
                out(Hex.digit(byte >> 4, isUppercase: true))
                out(Hex.digit(byte & 0xF, isUppercase: true))
            }
        }
    }

    public static func encoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        Array(text.utf8).withUnsafeBytes { encode($0) { bytes.append($0) } }
        return String(decoding: bytes, as: UTF8.self)
    }
}
