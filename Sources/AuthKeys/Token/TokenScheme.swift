import Crypto

/// How tokens that Keyward did not make are recognised and hashed: what they begin with, and what of them went into the
/// digests that were taken over.
///
/// A digest of a scheme is not kept as it is, but hashed once more with the scheme's own terms, so that its address is never
/// that of another scheme's digest, nor anything that whoever has the digest could send as a token. The one exception is the
/// SHA-256 of a whole token, which is what Keyward keeps of its own.
public struct TokenScheme: Hashable, Sendable {
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha256, sha512

        /// Bytes in a digest.
        public var byteCount: Int {
            switch self {
            case .sha256: 32
            case .sha512: 64
            }
        }
    }

    /// What is hashed of a token.
    public enum Part: String, Sendable, CaseIterable {
        case token
        /// What follows the prefix.
        case suffix
    }

    public static let prefixLimit = 64
    /// Bytes of a token.
    public static let lengthLimit = 512

    /// All that the tokens have in common at their beginning, a separator included; may be empty.
    public let prefix: String
    public let algorithm: Algorithm
    public let part: Part
    private let start: [UInt8]
    /// What the address of a digest begins with. No token has a NUL in it.
    private let domain: [UInt8]

    /// Nil unless the prefix is of visible ASCII and not too long, and there is one where only what follows it is hashed.
    public init?(prefix: String, algorithm: Algorithm, part: Part) {
        guard prefix.utf8.count <= Self.prefixLimit, prefix.utf8.allSatisfy(Self.isVisible),
            part == .token || !prefix.isEmpty
        else { return nil }
        self.prefix = prefix
        self.algorithm = algorithm
        self.part = part
        start = Array(prefix.utf8)
        // The digest of a whole token says what the token begins with; that of a suffix does not.
        let terms = [
            "", "keyward imported digest", algorithm.rawValue, part.rawValue, part == .suffix ? prefix : "", "",
        ]
        domain = Array(terms.joined(separator: "\0").utf8)
    }

    /// Where a digest of this scheme is kept; nil for one of another length.
    public func address(ofDigest digest: UnsafeRawBufferPointer) -> SecretDigest? {
        guard digest.count == algorithm.byteCount else { return nil }
        if algorithm == .sha256, part == .token { return SecretDigest(digest) }
        var hash = SHA256()
        domain.withUnsafeBytes { hash.update(bufferPointer: $0) }
        hash.update(bufferPointer: digest)
        return hash.finalize().withUnsafeBytes { SecretDigest($0) }
    }

    /// Where the digest of a token is kept; nil for a token that does not begin with the prefix, or is nothing more.
    func address(of token: UnsafeRawBufferPointer) -> SecretDigest? {
        guard token.count > start.count, token.starts(with: start) else { return nil }
        let hashed = part == .token ? token : UnsafeRawBufferPointer(rebasing: token[start.count...])
        switch algorithm {
        case .sha256:
            var hash = SHA256()
            hash.update(bufferPointer: hashed)
            return hash.finalize().withUnsafeBytes { address(ofDigest: $0) }
        case .sha512:
            var hash = SHA512()
            hash.update(bufferPointer: hashed)
            return hash.finalize().withUnsafeBytes { address(ofDigest: $0) }
        }
    }

    /// All places where a token may be found under schemes with those prefixes.
    static func addresses(of token: [UInt8], prefixes: some Sequence<String>) -> Set<SecretDigest> {
        var addresses: Set<SecretDigest> = []
        for algorithm in Algorithm.allCases {
            let whole = TokenScheme(prefix: "", algorithm: algorithm, part: .token)
            let rests = prefixes.map { TokenScheme(prefix: $0, algorithm: algorithm, part: .suffix) }
            for scheme in [whole] + rests {
                guard let address = token.withUnsafeBytes({ scheme?.address(of: $0) }) else { continue }
                addresses.insert(address)
            }
        }
        return addresses
    }

    /// Whether the bytes may be a token of any scheme: visible ASCII, and not too long.
    static func mayBeToken(_ bytes: UnsafeRawBufferPointer) -> Bool {
        (1...lengthLimit).contains(bytes.count) && bytes.allSatisfy(isVisible)
    }

    static func isVisible(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }

    public static func == (left: Self, right: Self) -> Bool {
        left.prefix == right.prefix && left.algorithm == right.algorithm && left.part == right.part
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(prefix)
        hasher.combine(algorithm)
        hasher.combine(part)
    }
}
