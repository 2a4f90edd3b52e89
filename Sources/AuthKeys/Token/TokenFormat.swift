/// The published shape of a token: `\b[a-z0-9_]{1,24}_[0-9A-Za-z]{49}\b`.
public enum TokenFormat {
    static let entropyBytes = 32
    static let entropyDigits = 43
    static let checksumDigits = 6
    static let tailDigits = entropyDigits + checksumDigits
    /// The length of the longest token, in bytes.
    public static let maximumLength = 24 + 1 + tailDigits

    /// Returns true if the bytes are a token with a valid checksum. Others were never issued, so they are refused
    /// before hashing and never looked up.
    @inline(__always)
    public static func isWellFormed(_ token: UnsafeRawBufferPointer) -> Bool {
        let separator = token.count - tailDigits - 1
        guard separator >= 1, token.count <= maximumLength, token[separator] == TokenPrefix.underscore else {
            return false
        }
        let body = separator + 1 + entropyDigits
        guard let claimed = Base62.decodeUInt32(UnsafeRawBufferPointer(rebasing: token[body...])),
            claimed == CRC32.checksum(UnsafeRawBufferPointer(rebasing: token[..<body]))
        else { return false }
        return Base62.isValid(UnsafeRawBufferPointer(rebasing: token[(separator + 1)..<body]))
            && TokenPrefix.isValid(UnsafeRawBufferPointer(rebasing: token[..<separator]))
    }
}
