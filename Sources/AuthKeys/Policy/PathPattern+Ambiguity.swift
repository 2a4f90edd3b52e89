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
                    if isHexPair(path, place + 3) { return nil }
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

    /// Returns true if the two bytes at an offset, each decoded, are hexadecimal digits: a `%` before them would be decoded again.
    private static func isHexPair(_ path: UnsafeRawBufferPointer, _ place: Int) -> Bool {
        var place = place
        for _ in 0..<2 {
            guard place < path.count, let byte = decoded(path, &place), hexValue(byte) != nil else { return false }
        }
        return true
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

    /// The number of times that a path is decoded in the search for dot segments. One that could be decoded more often is
    /// taken for one that has them.
    private static let decodingLimit = 4

    /// Whether a path could lead elsewhere: with a segment `.` or `..` (RFC 3986 section 3.3), in any spelling that a server
    /// may read as one: percent-encoded, also in parts and more than once, set off by a backslash or an encoded slash, or with
    /// parameters (`..;x`).
    public static func hasDotSegment(_ path: UnsafeRawBufferPointer) -> Bool {
        let path = UnsafeRawBufferPointer(rebasing: path.prefix { $0 != UInt8(ascii: "?") })
        if hasPlainDotSegment(path) { return true }
        guard path.contains(UInt8(ascii: "%")) else { return false }
        var bytes = Array(path)
        for _ in 0..<decodingLimit {
            guard decode(&bytes) else { return false }
            if bytes.withUnsafeBytes(hasPlainDotSegment) { return true }
        }
        return decode(&bytes)
    }

    /// Decodes a path once. False when nothing in it is encoded.
    private static func decode(_ path: inout [UInt8]) -> Bool {
        let encoded = path
        path.removeAll(keepingCapacity: true)
        encoded.withUnsafeBytes { bytes in
            var place = 0
            while place < bytes.count {
                let start = place
                if let byte = decoded(bytes, &place) {
                    path.append(byte)
                } else {
                    path.append(bytes[start])
                    place = start + 1
                }
            }
        }
        return path.count < encoded.count
    }

    private static func hasPlainDotSegment(_ path: UnsafeRawBufferPointer) -> Bool {
        var dots = 0
        var others = false
        for byte in path {
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
        }
        return isDotSegment(dots, others)
    }

    private static func isDotSegment(_ dots: Int, _ others: Bool) -> Bool {
        !others && (dots == 1 || dots == 2)
    }
}
