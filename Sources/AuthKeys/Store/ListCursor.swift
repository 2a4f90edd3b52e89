/// A place in the list of keys: the key that a page ended with. Opaque to callers: base64url of its parts and a checksum, so
/// that a cursor that was cut or edited is refused. It opens nothing: whoever makes up a right one merely picks a place.
public struct ListCursor: Sendable, Equatable {
    public let createdAt: Timestamp
    public let name: String
    public let id: KeyID

    public init(createdAt: Timestamp, name: String, id: KeyID) {
        self.createdAt = createdAt
        self.name = name
        self.id = id
    }

    /// The place right after a key.
    public init(after key: AuthKey) {
        self.init(createdAt: key.createdAt, name: key.name, id: key.id)
    }

    /// The text form.
    public var encoded: String {
        var bytes = withUnsafeBytes(of: createdAt.microseconds.bigEndian) { Array($0) }
        bytes += id.bytes
        bytes += Array(name.utf8)
        let checksum = bytes.withUnsafeBytes { CRC32.checksum($0) }
        bytes += withUnsafeBytes(of: checksum.bigEndian) { Array($0) }
        return Base64URL.encode(bytes)
    }

    /// Reads the text form; nil unless it is one that was given out, unchanged.
    public init?(encoded: some StringProtocol) {
        guard encoded.utf8.count <= 4_096, let bytes = Base64URL.decode(Array(encoded.utf8)), bytes.count >= 28 else {
            return nil
        }
        let body = bytes.dropLast(4)
        let checksum = body.withUnsafeBytes { CRC32.checksum($0) }
        guard Array(bytes.suffix(4)) == withUnsafeBytes(of: checksum.bigEndian, { Array($0) }),
            let id = KeyID(Array(body[8..<24])),
            let name = String(validating: body[24...], as: UTF8.self)
        else { return nil }
        let microseconds = body.withUnsafeBytes { Int64(bigEndian: $0.loadUnaligned(as: Int64.self)) }
        self.init(createdAt: Timestamp(microseconds: microseconds), name: name, id: id)
        guard createdAt.isRepresentable, !name.utf8.contains(0) else { return nil }
    }
}

/// RFC 4648 section 5, without padding.
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count * 4 + 2) / 3)
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 6 {
                bits -= 6
                text.append(alphabet[Int(buffer >> UInt32(bits) & 63)])
            }
        }
        if bits > 0 { text.append(alphabet[Int(buffer << UInt32(6 - bits) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    static func decode(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var buffer: UInt32 = 0
        var bits = 0
        for character in text {
            guard let value = alphabet.firstIndex(of: character) else { return nil }
            buffer = buffer << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        guard buffer & (1 << UInt32(bits) - 1) == 0 else { return nil }
        return bytes
    }
}
