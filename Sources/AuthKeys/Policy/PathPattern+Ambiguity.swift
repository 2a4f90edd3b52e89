/// Detection of paths that servers could read in two ways. `unambiguous` refuses every path in which `hasDotSegment`
/// finds a dot segment.
extension PathPattern {
    /// Returns a path without its query; nil if it is ambiguous (RFC 3986 sections 5.2.4 and 6.2.2). Ambiguous are:
    /// - empty and dot segments
    /// - parameters and backslashes
    /// - a `#`, which no path has (RFC 9112 section 3.2)
    /// - each of these, a slash or a NUL, percent-encoded
    /// - double encoding
    package static func unambiguous(_ path: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let count = path.count
        var index = 0
        var segment = 0
        scan: while index < count {
            let byte = path[index]
            if isPlain(byte) {
                index += 1
                continue
            }
            if byte == UInt8(ascii: "/") {
                if index > 0, isUnclear(path, segment, index) { return nil }
                index += 1
                segment = index
                continue
            }
            switch byte {
            case UInt8(ascii: "?"): break scan
            case UInt8(ascii: ";"), UInt8(ascii: "\\"), UInt8(ascii: "#"): return nil
            case UInt8(ascii: "%"):
                guard index + 2 < path.count, let high = Hex.value(of: path[index + 1]),
                    let low = Hex.value(of: path[index + 2])
                else { return nil }
                switch high << 4 | low {
                case 0x00, UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: ";"), UInt8(ascii: "\\"): return nil
                case UInt8(ascii: "%"):
                    if isHexPair(path, index + 3) { return nil }
                default: break
                }
                index += 2
            default: break
            }
            index += 1
        }
        // An empty last segment is a trailing slash.
        if index > segment, isUnclear(path, segment, index) { return nil }
        return UnsafeRawBufferPointer(rebasing: path[..<index])
    }

    /// Returns true if the two bytes at an offset, each decoded, are hexadecimal digits: a `%` before them would be
    /// decoded again.
    private static func isHexPair(_ path: UnsafeRawBufferPointer, _ index: Int) -> Bool {
        var index = index
        for _ in 0..<2 {
            guard index < path.count, decoded(path, &index).flatMap(Hex.value) != nil else { return false }
        }
        return true
    }

    /// Returns true if a byte stands only for itself. Most bytes do, small letters above all, so these checks come
    /// first. The set of the others below `@` is one number.
    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        if byte > UInt8(ascii: "\\") { return true }
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

    /// The number of times that the search for dot segments decodes a path. A path that could be decoded more often
    /// counts as one with dot segments.
    private static let decodingLimit = 4

    /// Returns true if the path has a segment `.` or `..` (RFC 3986 section 3.3) in any spelling that a server may
    /// accept. That includes partial and repeated percent-encoding, a backslash or an encoded slash as separator, and
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

    /// Decodes a path once. Returns false if it has no encoded byte.
    private static func decode(_ path: inout [UInt8]) -> Bool {
        let encoded = path
        path.removeAll(keepingCapacity: true)
        encoded.withUnsafeBytes { bytes in
            var index = 0
            while index < bytes.count {
                let start = index
                if let byte = decoded(bytes, &index) {
                    path.append(byte)
                } else {
                    path.append(bytes[start])
                    index = start + 1
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
