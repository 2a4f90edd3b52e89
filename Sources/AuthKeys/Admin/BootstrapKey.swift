import Crypto

/// The digest of the key that the operator configures. Digests are compared in constant time.
public struct BootstrapKey: Sendable {
    /// The minimum length in characters.
    public static let minimumLength = 32
    /// The rule in words, for error messages.
    public static let rule = "at least \(minimumLength) characters of printable ASCII"

    private let digest: SHA256Digest

    /// Returns nil for a key that breaks the rule. Characters outside ASCII have no unique form in a header field (RFC
    /// 9110 section 5.5).
    public init?(_ key: String) {
        guard key.utf8.count >= Self.minimumLength, key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return nil
        }
        digest = SHA256.hash(data: Array(key.utf8))
    }

    func matches(_ candidate: [UInt8]) -> Bool {
        SHA256.hash(data: candidate) == digest
    }
}
