/// Paths that servers could read in two ways. All that the narrower rule refuses, the other refuses too.
extension PathPattern {
    /// A path without its query; nil if it could be read in two ways (RFC 3986 sections 5.2.4 and 6.2.2): with empty or dot
    /// segments, with parameters, with a backslash, with a `#`, which no path has (RFC 9112 section 3.2), or with any of the
    /// others, a slash or a NUL percent-encoded, or with something encoded twice.
    static func unambiguous(_ path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var place = 0
        var segment = 0
        scan: while place < path.count {
            let byte = path[place]
            if isPlain(byte) {
                place += 1
                continue
            }
            if byte == UInt8(ascii: "/") {
                if place > 0, isUnclear(path, segment, place) { return nil }
                place += 1
                segment = place
                continue
            }
            switch byte {
            case UInt8(ascii: "?"): break scan
            case UInt8(ascii: ";"), UInt8(ascii: "\\"), UInt8(ascii: "#"): return nil
            case UInt8(ascii: "%"):
                guard place + 2 < path.count, let high = hexValue(path[place + 1]), let low = hexValue(path[place + 2])
                else { return nil }
                switch high << 4 | low {
                case 0x00, UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: ";"), UInt8(ascii: "\\"): return nil
                case UInt8(ascii: "%"):
                    if place + 4 < path.count, hexValue(path[place + 3]) != nil, hexValue(path[place + 4]) != nil {
                        return nil
                    }
                default: break
                }
                place += 2
            default: break
            }
            place += 1
        }
        // An empty last segment is a slash at the end.
        if place > segment, isUnclear(path, segment, place) { return nil }
        return UnsafeRawBufferPointer(rebasing: path[..<place])
    }

    /// Whether a byte says nothing but itself: most do, so that this is asked first, of a set that is one number.
    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        let others: UInt64 = 1 << 0x23 | 1 << 0x25 | 1 << 0x2F | 1 << 0x3B | 1 << 0x3F  // # % / ; ?
        return byte < 0x40 ? others >> UInt64(byte) & 1 == 0 : byte != UInt8(ascii: "\\")
    }

    private static func isUnclear(_ path: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Bool {
        switch end - start {
        case 0: true
        case 1: path[start] == UInt8(ascii: ".")
        case 2: path[start] == UInt8(ascii: ".") && path[start + 1] == UInt8(ascii: ".")
        default: false
        }
    }

    /// Whether a path could lead elsewhere: with a segment `.` or `..` (RFC 3986 section 3.3), in any spelling that a server
    /// may read as one: percent-encoded, once or twice, set off by a backslash or an encoded slash, or with parameters
    /// (`..;x`).
    public static func hasDotSegment(_ path: UnsafeRawBufferPointer) -> Bool {
        let path = UnsafeRawBufferPointer(rebasing: path.prefix { $0 != UInt8(ascii: "?") })
        var dots = 0
        var others = false
        var index = path.startIndex
        while index < path.endIndex {
            let byte = dotOrSeparator(path, &index)
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
    private static func dotOrSeparator(_ path: UnsafeRawBufferPointer, _ index: inout Int) -> UInt8 {
        let byte = path[index]
        guard byte == UInt8(ascii: "%"), index + 2 < path.endIndex else { return byte }
        // `%25` is `%`: what follows may be an encoding again.
        var digits = index + 1
        while path[digits] == UInt8(ascii: "2"), path[digits + 1] == UInt8(ascii: "5"), digits + 3 < path.endIndex {
            digits += 2
        }
        index = digits + 1
        return switch (path[digits], path[digits + 1] | 0x20) {
        case (UInt8(ascii: "2"), UInt8(ascii: "e")): UInt8(ascii: ".")
        case (UInt8(ascii: "2"), UInt8(ascii: "f")): UInt8(ascii: "/")
        case (UInt8(ascii: "5"), UInt8(ascii: "c")): UInt8(ascii: "\\")
        case (UInt8(ascii: "3"), UInt8(ascii: "b")): UInt8(ascii: ";")
        default: UInt8(ascii: "%")
        }
    }

    private static func isDotSegment(_ dots: Int, _ others: Bool) -> Bool {
        !others && (dots == 1 || dots == 2)
    }
}
