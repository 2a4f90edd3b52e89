import Crypto

/// The format and hash of tokens from another system: their prefix, and the part of them that the imported digests
/// cover.
///
/// A scheme's digest is not stored as it is, but hashed again together with the scheme's parameters. So its address
/// never equals that of another scheme's digest. Nor can a holder of the digest construct a token with that address.
/// The one exception is the SHA-256 of a whole token, the form of Keyward's own tokens.
public struct TokenScheme: Hashable, Sendable {
    public enum Algorithm: String, Sendable, CaseIterable {
        case sha256, sha512

        /// The size of a digest in bytes.
        public var byteCount: Int {
            switch self {
            case .sha256: 32
            case .sha512: 64
            }
        }
    }

    /// The part of a token that is hashed.
    public enum Part: String, Sendable, CaseIterable {
        case token
        /// The part after the prefix.
        case suffix
    }

    public static let prefixLimit = 64
    /// The maximum length of a token in bytes.
    public static let lengthLimit = 512

    /// The common beginning of the tokens, including a separator; may be empty.
    public let prefix: String
    public let algorithm: Algorithm
    public let part: Part
    private let start: [UInt8]
    /// The beginning of the hashed text of a digest's address. It has a NUL, which no token has.
    private let domain: [UInt8]

    /// Returns nil unless the prefix is visible ASCII of at most `prefixLimit` bytes. It must not be empty if only the
    /// suffix is hashed.
    public init?(prefix: String, algorithm: Algorithm, part: Part) {
        guard prefix.utf8.count <= Self.prefixLimit, prefix.utf8.allSatisfy(Self.isVisible),
            part == .token || !prefix.isEmpty
        else { return nil }
        self.prefix = prefix
        self.algorithm = algorithm
        self.part = part
        start = Array(prefix.utf8)
        // The digest of a whole token covers the prefix; that of a suffix does not.
        let terms = [
            "", "keyward imported digest", algorithm.rawValue, part.rawValue, part == .suffix ? prefix : "", "",
        ]
        domain = Array(terms.joined(separator: "\0").utf8)
    }

    /// Returns the address of a digest of this scheme; nil for another length.
    public func address(ofDigest digest: UnsafeRawBufferPointer) -> SecretDigest? {
        guard digest.count == algorithm.byteCount else { return nil }
        if algorithm == .sha256, part == .token { return SecretDigest(digest) }
        var hash = SHA256()
        domain.withUnsafeBytes { hash.update(bufferPointer: $0) }
        hash.update(bufferPointer: digest)
        return hash.finalize().withUnsafeBytes { SecretDigest($0) }
    }

    /// Returns the address of a token; nil unless it begins with the prefix and continues after it.
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

    /// Returns all addresses that a token may have under schemes with those prefixes.
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

    /// Returns true if the bytes may be a token of a scheme: visible ASCII of at most `lengthLimit` bytes.
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
