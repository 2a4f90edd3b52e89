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
