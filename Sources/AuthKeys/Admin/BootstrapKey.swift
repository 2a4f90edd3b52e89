import Crypto

/// The key that the operator starts Keyward with, as its digest alone: comparing digests takes the same time whatever is
/// compared.
public struct BootstrapKey: Sendable {
    /// The fewest characters it has.
    public static let minimumLength = 32

    private let digest: SHA256Digest

    /// Nil for a key that is too short.
    public init?(_ key: String) {
        guard key.count >= Self.minimumLength else { return nil }
        digest = SHA256.hash(data: Array(key.utf8))
    }

    func matches(_ candidate: [UInt8]) -> Bool {
        SHA256.hash(data: candidate) == digest
    }
}
