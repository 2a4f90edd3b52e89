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

    /// The place right after an admin key.
    public init(after key: AdminKey) {
        self.init(createdAt: key.createdAt, name: key.name, id: key.id)
    }

    /// The text form.
    public var encoded: String {
        CheckedText.encode(bigEndian(createdAt.microseconds) + id.bytes + Array(name.utf8))
    }

    /// Reads the text form; nil unless it is one that was given out, unchanged.
    public init?(encoded: some StringProtocol) {
        guard let body = CheckedText.decode(encoded), body.count >= 24, let id = KeyID(Array(body[8..<24])),
            let name = String(validating: body[24...], as: UTF8.self)
        else { return nil }
        let microseconds = body.withUnsafeBytes { Int64(bigEndian: $0.loadUnaligned(as: Int64.self)) }
        self.init(createdAt: Timestamp(microseconds: microseconds), name: name, id: id)
        guard createdAt.isRepresentable, !name.utf8.contains(0) else { return nil }
    }
}
