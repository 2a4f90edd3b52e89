/// The stable identifier of a key: a UUID (RFC 9562). Keyward generates version 7, so that new rows are adjacent on
/// disk.
public struct KeyID: Hashable, Sendable, Comparable {
    public let high: UInt64
    public let low: UInt64

    /// Generates an identifier for a key that is created now.
    public static func generate(at now: Timestamp = .now) -> KeyID {
        var random = SystemRandomNumberGenerator()
        let milliseconds = UInt64(max(0, now.microseconds / 1_000)) & 0xFFFF_FFFF_FFFF
        return KeyID(
            high: milliseconds << 16 | 0x7000 | random.next() & 0x0FFF,
            low: random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    /// The creation time of the identifier, to the millisecond, for UUIDs of version 7 (RFC 9562 section 5.7);
    /// otherwise nil.
    public var createdAt: Timestamp? {
        high >> 12 & 0xF == 7 ? Timestamp(microseconds: Int64(high >> 16) * 1_000) : nil
    }

    /// Compares bytes, as PostgreSQL does.
    public static func < (left: KeyID, right: KeyID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the 16 bytes of a UUID; nil for any other number of bytes.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 16 else { return nil }
        high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// Reads the 16 bytes of a UUID; nil for any other number of bytes.
    public init?(_ bytes: [UInt8]) {
        guard let id = bytes.withUnsafeBytes({ KeyID($0) }) else { return nil }
        self = id
    }

    /// Parses the 36-character text form of RFC 9562, with letters in either case; nil for any other text.
    public init?(_ text: some StringProtocol) {
        let utf8 = Array(text.utf8)
        guard utf8.count == 36 else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for (position, character) in utf8.enumerated() {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard character == 0x2D else { return nil }
                continue
            }
            guard let digit = Hex.value(of: character).map(UInt64.init) else { return nil }
            if digits < 16 { words.0 = words.0 << 4 | digit } else { words.1 = words.1 << 4 | digit }
            digits += 1
        }
        self.init(high: words.0, low: words.1)
    }

    /// The 16 bytes, in network order.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: high.bigEndian) { Array($0) } + withUnsafeBytes(of: low.bigEndian) { Array($0) }
    }

    /// Calls `body` with each of the 36 characters of the text form, as ASCII.
    @inline(__always)
    public func forEachCharacter(_ body: (UInt8) -> Void) {
        for nibble in 0..<32 {
            if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 { body(0x2D) }
            let word = nibble < 16 ? high : low
            body(Hex.digit(UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (nibble & 15))) & 0xF))
        }
    }
}

extension KeyID: LosslessStringConvertible {
    public init?(_ description: String) {
        self.init(description[...])
    }

    /// The 36-character text form in lower case.
    public var description: String {
        var characters: [UInt8] = []
        characters.reserveCapacity(36)
        forEachCharacter { characters.append($0) }
        return String(decoding: characters, as: UTF8.self)
    }
}
