import AuthKeys
import NIOCore

/// The fields that tell the upstream whose request it is.
enum Identity {
    /// Writes the field lines for a key. Called with the index waiting, so it does no more than copy.
    @inline(__always)
    static func write(_ key: KeyView, to buffer: inout ByteBuffer) {
        let texts = key.texts
        buffer.writeStaticString("X-Keyward-Key-Id: ")
        write(key.id, to: &buffer)
        buffer.writeStaticString("\r\nX-Keyward-Key-Name: ")
        writeEncoded(texts.name, to: &buffer)
        if !texts.owner.isEmpty {
            buffer.writeStaticString("\r\nX-Keyward-Owner: ")
            writeEncoded(texts.owner, to: &buffer)
        }
        if !texts.scopes.isEmpty {
            buffer.writeStaticString("\r\nX-Keyward-Scopes: ")
            writeEncoded(texts.scopes, to: &buffer)
        }
        buffer.writeStaticString("\r\n")
    }

    @inline(__always)
    private static func write(_ id: KeyID, to buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 36) { target in
            var position = 0
            id.forEachCharacter { character in
                target[position] = character
                position += 1
            }
            return position
        }
    }

    /// Writes a text that people chose as a field value: percent-encoded (RFC 3986 section 2.1) where a byte is neither
    /// visible ASCII nor a space, and where it is `%`; a space at either end too, which a recipient would strip.
    static func writeEncoded(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        if text.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x25 }) {
            buffer.writeBytes(text)
            return
        }
        for (position, byte) in text.enumerated() {
            let isInner = position > 0 && position < text.count - 1
            if byte > 0x20 && byte < 0x7F && byte != 0x25 || byte == 0x20 && isInner {
                buffer.writeInteger(byte)
            } else {
                buffer.writeInteger(0x25 as UInt8)
                buffer.writeInteger(hexDigit(byte >> 4))
                buffer.writeInteger(hexDigit(byte & 0xF))
            }
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 + value : 0x41 + value - 10
    }
}
