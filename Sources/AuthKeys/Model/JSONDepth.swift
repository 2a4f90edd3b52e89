/// How deep JSON may be nested. Decoding takes time that grows with the square of the depth and faster: a kilobyte of brackets takes
/// a second. So a text is looked at before.
public enum JSONDepth {
    /// Levels of arrays and objects in a text that is sent.
    public static let limit = 32
    /// Levels in a text that is kept, around which the trail puts some of its own.
    public static let keptLimit = limit + 8

    /// Whether arrays and objects lie in one another more than `limit` levels deep. What is in strings does not count; a text
    /// that is no JSON is looked at as if it were.
    public static func isExceeded(by text: some Sequence<UInt8>, limit: Int = JSONDepth.limit) -> Bool {
        var depth = 0
        var (isInString, isEscaped) = (false, false)
        for byte in text {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                if depth > limit { return true }
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            default: break
            }
        }
        return false
    }
}
