/// A position in a list of keys: the last key of a page, as the list's order sees it. Opaque to callers: base64url of
/// its parts and a checksum, so that a truncated or edited cursor is refused. It grants no access: a forged cursor only
/// selects a position.
public struct ListCursor: Sendable, Equatable {
    /// The order that the cursor belongs to; it is invalid in another.
    public let order: KeyOrder
    /// Set if the order compares moments; nil for never.
    public let moment: Timestamp?
    /// Set if the order compares names.
    public let name: String
    public let id: KeyID

    public init(order: KeyOrder, moment: Timestamp?, name: String, id: KeyID) {
        self.order = order
        self.moment = moment
        self.name = name
        self.id = id
    }

    /// Creates the position right after a key.
    public init(after key: AuthKey, in order: KeyOrder) {
        let (moment, name): (Timestamp?, String) =
            switch order.field {
            case .created: (key.createdAt, key.name)
            case .name: (nil, key.name)
            case .lastUsed: (key.usage.lastUsedAt, "")
            case .expires: (key.expiresAt, "")
            }
        self.init(order: order, moment: moment, name: name, id: key.id)
    }

    /// Creates the position right after an admin key.
    public init(after key: AdminKey) {
        self.init(order: .newestFirst, moment: key.createdAt, name: key.name, id: key.id)
    }

    /// The text form: a byte for the order, the moment if there is one, the id, the name.
    public var encoded: String {
        var bytes = [Self.code(order, hasMoment: moment != nil)]
        if let moment { bytes += bigEndian(moment.microseconds) }
        return CheckedText.encode(bytes + id.bytes + Array(name.utf8))
    }

    /// Parses the text form; nil unless it is a valid, unchanged one.
    public init?(encoded: some StringProtocol) {
        guard let bytes = CheckedText.decode(encoded), bytes.count >= 17 else { return nil }
        var body = bytes[...]
        guard let (order, hasMoment) = body.popFirst().flatMap(Self.decode)
        else { return nil }
        var moment: Timestamp?
        if hasMoment {
            guard body.count >= 24 else { return nil }
            let microseconds = body.withUnsafeBytes { Int64(bigEndian: $0.loadUnaligned(as: Int64.self)) }
            let timestamp = Timestamp(microseconds: microseconds)
            guard timestamp.isRepresentable else { return nil }
            moment = timestamp
            body = body.dropFirst(8)
        }
        guard let id = KeyID(Array(body.prefix(16))),
            let name = String(validating: body.dropFirst(16), as: UTF8.self), !name.utf8.contains(0),
            name.unicodeScalars.count <= FieldRules.nameLimit
        else { return nil }
        self.init(order: order, moment: moment, name: name, id: id)
    }

    /// Returns the code of an order, with its highest bit set. Cursors of earlier versions began with a moment, whose
    /// highest bit was never set.
    private static func code(_ order: KeyOrder, hasMoment: Bool) -> UInt8 {
        let field: UInt8 =
            switch order.field {
            case .created: 0
            case .name: 1
            case .lastUsed: 2
            case .expires: 3
            }
        return 0x80 | field << 2 | (order.isDescending ? 2 : 0) | (hasMoment ? 1 : 0)
    }

    private static func decode(_ code: UInt8) -> (order: KeyOrder, hasMoment: Bool)? {
        for order in KeyOrder.all {
            for hasMoment in [false, true] where Self.code(order, hasMoment: hasMoment) == code {
                // The creation order always has a moment, and the name order never has one.
                if order.field == .created && !hasMoment || order.field == .name && hasMoment { return nil }
                return (order, hasMoment)
            }
        }
        return nil
    }
}
