import AuthKeys
import NIOCore

/// The fields that tell the upstream the key and the owner of the request.
enum Identity {
    /// Writes the field lines for a key. The index is locked during the call, so the function only copies.
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

    /// Writes a text that a person chose as a field value.
    static func writeEncoded(_ text: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        if IdentityText.isPlain(text) {
            buffer.writeBytes(text)
        } else {
            IdentityText.encode(text) { buffer.writeInteger($0) }
        }
    }
}
