/// The prefix of a token, before its last underscore: `[a-z0-9_]{1,24}`, without an underscore at either end.
public struct TokenPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The default prefix, `kw`.
    public static let standard = TokenPrefix(unchecked: "kw")

    /// The prefix that is reserved for admin keys, `kwa`.
    static let admin = TokenPrefix(unchecked: "kwa")

    /// The rule in words, for error messages.
    public static let rule = "1 to 24 of a-z, 0-9 and _, with no _ at either end"

    /// The prefix as text.
    public let description: String

    /// Checks a prefix; nil if it breaks the rule.
    public init?(_ text: String) {
        guard
            text.utf8.withContiguousStorageIfAvailable({ Self.isValid(UnsafeRawBufferPointer($0)) })
                ?? Self.isValid(text)
        else { return nil }
        description = text
    }

    private init(unchecked text: String) {
        description = text
    }

    private static func isValid(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { isValid($0) }
    }

    @inline(__always)
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard (1...24).contains(bytes.count), bytes[0] != underscore, bytes[bytes.count - 1] != underscore else {
            return false
        }
        for byte in bytes {
            switch byte {
            case 0x61...0x7A, 0x30...0x39, underscore: continue
            default: return false
            }
        }
        return true
    }

    static let underscore: UInt8 = 0x5F
}
