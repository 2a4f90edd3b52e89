/// The byte classes of HTTP/1.1 that define the valid bytes of a message head.
enum ByteClass {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09
    static let colon: UInt8 = 0x3A
    static let comma: UInt8 = 0x2C
    static let slash: UInt8 = 0x2F

    /// True for `tchar` (RFC 9110 section 5.6.2).
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        // One bit for each of `!#$%&'*+-.` and the digits, then one for each of the letters and `^_`|~`.
        let low: UInt64 = 0x03FF_6CFA_0000_0000
        let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        if byte < 64 { return low >> UInt64(byte) & 1 == 1 }
        return byte < 128 && high >> UInt64(byte & 63) & 1 == 1
    }

    /// True for the bytes of a field value (RFC 9110 section 5.5): visible bytes, bytes above ASCII, space and tab.
    @inline(__always)
    static func isFieldContent(_ byte: UInt8) -> Bool {
        byte >= space && byte != 0x7F || byte == tab
    }

    /// True for the bytes of a request target: visible ASCII without `#`, since RFC 9112 section 3.2 allows no
    /// fragment.
    @inline(__always)
    static func isTarget(_ byte: UInt8) -> Bool {
        byte > space && byte < 0x7F && byte != 0x23
    }

    /// True for the characters of `uri-host` and port (RFC 3986 section 3.2.2), without user information.
    @inline(__always)
    static func isAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x5B, 0x5D, 0x61...0x7A: true
        case 0x21, 0x24...0x2B, 0x2D, 0x2E, 0x3B, 0x3D, 0x5F, 0x7E: true
        default: false
        }
    }

    /// The byte, or the lower-case form of an ASCII capital letter.
    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 <= 25 ? byte | 0x20 : byte }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 <= 9 }

    @inline(__always)
    static func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || (byte | 0x20) &- 0x61 <= 25 }
}

extension UnsafeRawBufferPointer {
    /// True if the bytes equal `lower`, ignoring the case of letters. `lower` consists of lower-case letters, digits
    /// and hyphens. The caller must have checked that the bytes are a token or visible ASCII: the comparison would
    /// accept a control character as a hyphen.
    @inline(__always)
    func equals(_ lower: StaticString) -> Bool {
        count == lower.utf8CodeUnitCount && begins(with: lower)
    }

    /// True if the bytes begin with `lower`, under the conditions of `equals`.
    @inline(__always)
    func begins(with lower: StaticString) -> Bool {
        let length = lower.utf8CodeUnitCount
        guard count >= length else { return false }
        let expected = lower.utf8Start
        for index in 0..<length where self[index] | 0x20 != expected[index] { return false }
        return true
    }

    /// True if the bytes begin with `lower`, with every byte that is not a letter or digit read as `-`. Servers that
    /// turn header names into variables compare names in this way.
    @inline(__always)
    func beginsLoosely(with lower: StaticString) -> Bool {
        let length = lower.utf8CodeUnitCount
        guard count >= length else { return false }
        let expected = lower.utf8Start
        for index in 0..<length {
            let byte = self[index]
            let folded = ByteClass.isAlphanumeric(byte) ? byte | 0x20 : 0x2D
            if folded != expected[index] { return false }
        }
        return true
    }

    @inline(__always)
    func equalsLoosely(_ lower: StaticString) -> Bool {
        count == lower.utf8CodeUnitCount && beginsLoosely(with: lower)
    }

    /// The elements of a comma-separated list (RFC 9110 section 5.6.1), without the whitespace around them. Elements
    /// may be empty.
    func list(in range: Range<Int>) -> ListElements { ListElements(bytes: self, range: range) }

    /// True if a comma-separated list contains the element `lower`, ignoring case.
    func lists(_ lower: StaticString, in range: Range<Int>) -> Bool {
        list(in: range).contains { part($0).equals(lower) }
    }

    /// The bytes in a range that was computed from them.
    @inline(__always)
    func part(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[range])
    }

    /// The range without leading and trailing spaces and tabs.
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start] == ByteClass.space || self[start] == ByteClass.tab { start += 1 }
        while start < end, self[end - 1] == ByteClass.space || self[end - 1] == ByteClass.tab { end -= 1 }
        return start..<end
    }
}

/// The elements of a comma-separated list, in order.
struct ListElements: Sequence, IteratorProtocol {
    private let bytes: UnsafeRawBufferPointer
    private let end: Int
    private var start: Int

    init(bytes: UnsafeRawBufferPointer, range: Range<Int>) {
        self.bytes = bytes
        start = range.lowerBound
        end = range.upperBound
    }

    mutating func next() -> Range<Int>? {
        guard start <= end else { return nil }
        var stop = start
        while stop < end, bytes[stop] != ByteClass.comma { stop += 1 }
        defer { start = stop + 1 }
        return bytes.trimmed(start..<stop)
    }
}
