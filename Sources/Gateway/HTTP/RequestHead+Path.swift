extension RequestHead {
    /// Whether the path has a segment `.` or `..` (RFC 3986 section 3.3), in any spelling that a server may read as one:
    /// percent-encoded, once or twice, set off by a backslash or an encoded slash, or with parameters (`..;x`).
    func hasDotSegment(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let target = bytes.part(path)
        var dots = 0
        var others = false
        var index = target.startIndex
        while index < target.endIndex, target[index] != UInt8(ascii: "?") {
            let byte = Self.decoded(target, &index)
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: "\\"):
                if isDotSegment(dots, others) { return true }
                (dots, others) = (0, false)
            case UInt8(ascii: ";"):
                if isDotSegment(dots, others) { return true }
                others = true
            case UInt8(ascii: "."): dots += 1
            default: others = true
            }
            index += 1
        }
        return isDotSegment(dots, others)
    }

    /// The byte at a place, as far as it matters here whether it is encoded; moves to the last byte of its encoding.
    private static func decoded(_ target: UnsafeRawBufferPointer, _ index: inout Int) -> UInt8 {
        let byte = target[index]
        guard byte == UInt8(ascii: "%"), index + 2 < target.endIndex else { return byte }
        // `%25` is `%`: what follows may be an encoding again.
        var digits = index + 1
        while target[digits] == UInt8(ascii: "2"), target[digits + 1] == UInt8(ascii: "5"), digits + 3 < target.endIndex
        {
            digits += 2
        }
        index = digits + 1
        return switch (target[digits], target[digits + 1] | 0x20) {
        case (UInt8(ascii: "2"), UInt8(ascii: "e")): UInt8(ascii: ".")
        case (UInt8(ascii: "2"), UInt8(ascii: "f")): UInt8(ascii: "/")
        case (UInt8(ascii: "5"), UInt8(ascii: "c")): UInt8(ascii: "\\")
        case (UInt8(ascii: "3"), UInt8(ascii: "b")): UInt8(ascii: ";")
        default: UInt8(ascii: "%")
        }
    }

    private func isDotSegment(_ dots: Int, _ others: Bool) -> Bool {
        !others && (dots == 1 || dots == 2)
    }
}
