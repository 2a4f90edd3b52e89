import Crypto

/// The key that the operator starts Keyward with, as its digest alone: comparing digests takes the same time whatever is
/// compared.
public struct BootstrapKey: Sendable {
    /// The fewest characters it has.
    public static let minimumLength = 32
    /// The rule in words, for error messages.
    public static let rule = "at least \(minimumLength) characters of printable ASCII"

    private let digest: SHA256Digest

    /// Nil for a key that breaks the rule. Other characters than ASCII have no one form in a header field (RFC 9110 section 5.5).
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
