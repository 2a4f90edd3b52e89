/// A secret in plain text: `<prefix>_<43 base 62 digits><6 base 62 digits>`, that is 32 random bytes, then the CRC-32
/// of all before it. It exists only while it is generated and shown.
public struct Token: Sendable {
    /// The text that is shown to the caller once.
    public let value: String
    /// The stored form.
    public let digest: SecretDigest
    /// The prefix of the value.
    public let prefix: TokenPrefix
    /// Its last four characters, by which people recognise a key.
    public let lastFour: String

    /// Generates a token from the system's source of randomness.
    public static func generate(prefix: TokenPrefix = .standard) -> Token {
        var random = SystemRandomNumberGenerator()
        return generate(prefix: prefix, using: &random)
    }

    static func generate(prefix: TokenPrefix, using random: inout some RandomNumberGenerator) -> Token {
        var entropy: [UInt8] = []
        entropy.reserveCapacity(TokenFormat.entropyBytes)
        for _ in 0..<(TokenFormat.entropyBytes / 8) {
            withUnsafeBytes(of: random.next() as UInt64) { entropy.append(contentsOf: $0) }
        }
        var bytes = Array(prefix.description.utf8)
        bytes.append(TokenPrefix.underscore)
        bytes += Base62.encode(entropy, width: TokenFormat.entropyDigits)
        let checksum = bytes.withUnsafeBytes { CRC32.checksum($0) }
        bytes += Base62.encode(withUnsafeBytes(of: checksum.bigEndian) { Array($0) }, width: TokenFormat.checksumDigits)
        return Token(
            value: String(decoding: bytes, as: UTF8.self),
            digest: bytes.withUnsafeBytes { SecretDigest(hashing: $0) },
            prefix: prefix,
            lastFour: String(decoding: bytes.suffix(4), as: UTF8.self)
        )
    }
}

extension Token: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The redacted form. Only `value` has the secret.
    public var description: String { "\(prefix)_...\(lastFour)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["redacted": description]) }
}
