extension RequestHead {
    /// Whether the path has a segment `.` or `..` (RFC 3986 section 3.3), in any spelling that a server may read as one:
    /// percent-encoded, or set off by a backslash or an encoded slash.
    func hasDotSegment(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let target = bytes.part(path)
        var dots = 0
        var others = false
        var index = target.startIndex
        while index < target.endIndex, target[index] != UInt8(ascii: "?") {
            var byte = target[index]
            if byte == UInt8(ascii: "%"), index + 2 < target.endIndex {
                switch (target[index + 1], target[index + 2] | 0x20) {
                case (UInt8(ascii: "2"), UInt8(ascii: "e")): byte = UInt8(ascii: ".")
                case (UInt8(ascii: "2"), UInt8(ascii: "f")): byte = UInt8(ascii: "/")
                case (UInt8(ascii: "5"), UInt8(ascii: "c")): byte = UInt8(ascii: "\\")
                default: break
                }
                index += 2
            }
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: "\\"):
                if isDotSegment(dots, others) { return true }
                (dots, others) = (0, false)
            case UInt8(ascii: "."): dots += 1
            default: others = true
            }
            index += 1
        }
        return isDotSegment(dots, others)
    }

    private func isDotSegment(_ dots: Int, _ others: Bool) -> Bool {
        !others && (dots == 1 || dots == 2)
    }
}
